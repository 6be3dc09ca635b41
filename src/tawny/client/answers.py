"""What the server answers, as objects. Unknown fields of a newer server are ignored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, Literal, TypeVar

Status = Literal["pending", "running", "completed", "failed", "cancelled"]

T = TypeVar("T")

_TIMES: Final = frozenset({"at", "created_at", "started_at", "completed_at", "logged_at"})


@dataclass(frozen=True, slots=True)
class Run:
    """One run, as the API shows it."""

    id: str
    job_type: str
    status: Status
    team_id: str
    project_id: str | None
    triggered_by: str
    params: Mapping[str, Any] | None
    progress: Mapping[str, Any] | None
    result: Mapping[str, Any] | None
    error: str | None
    notify: bool
    started_at: datetime | None
    completed_at: datetime | None
    created_at: datetime

    @property
    def ended(self) -> bool:
        """Whether it is completed, failed or cancelled."""
        return self.status in ("completed", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Event:
    """A fact about a run, or (kind `progress`, without an id) how far it is."""

    id: str | None
    kind: str
    run_id: str
    attempt: int
    data: Mapping[str, Any]
    """Of a fact what it says, of `progress` the progress itself."""
    seq: int | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that a handler wrote."""

    seq: int
    attempt: int
    level: str
    message: str
    fields: Mapping[str, Any] | None
    logged_at: datetime


@dataclass(frozen=True, slots=True)
class JobType:
    """A definition that runs are made of."""

    name: str
    label: str
    description: str
    scope: Literal["project", "system"]
    params_schema: Mapping[str, Any]
    retries: int
    timeout_seconds: float | None


@dataclass(frozen=True, slots=True)
class Team:
    """A team. `role` is that of who asks."""

    id: str
    name: str
    slug: str
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Project:
    """A project of a team."""

    id: str
    team_id: str
    name: str
    slug: str
    color: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Whoami:
    """Who the client is: a key with its one team and its permissions, or a user with an address and teams."""

    type: Literal["api_key", "user"]
    teams: tuple[Team, ...]
    permissions: tuple[str, ...] | None = None
    email: str | None = None


def read(kind: type[T], answer: Mapping[str, Any]) -> T:
    """Make an object of what was answered."""
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: _value(name, value) for name, value in answer.items() if name in known})


def _value(name: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if name in _TIMES and isinstance(value, str) else value


def read_event(event_id: str | None, kind: str, data: Mapping[str, Any]) -> Event:
    """Make an event of a message of the stream."""
    said = data.get("progress") if kind == "progress" else data.get("data")
    at = data.get("at")
    return Event(
        None if kind == "progress" else event_id,
        kind,
        str(data["run_id"]),
        int(data["attempt"]),
        said or {},
        data.get("seq"),
        datetime.fromisoformat(at) if at else None,
    )


def read_facts(timeline: Mapping[str, Any], after: int | None) -> Iterator[Event]:
    """Make events of a timeline: those behind the number `after`; None: only the end of a run that has ended."""
    for fact in timeline["events"]:
        if fact["seq"] > after if after is not None else fact["kind"] in ("completed", "failed", "cancelled"):
            yield read_event(str(fact["seq"]), fact["kind"], {**fact, "run_id": timeline["run_id"]})


def read_progress(run: Run) -> Event:
    """Make the event that says how far a run is."""
    return read_event(None, "progress", {"run_id": run.id, "attempt": 0, "progress": run.progress})


def read_whoami(answer: Mapping[str, Any]) -> Whoami:
    """Make a Whoami of the answer for a key or a user."""
    if answer["type"] == "api_key":
        return Whoami("api_key", (read(Team, answer["team"]),), tuple(answer["permissions"]))
    return Whoami("user", tuple(read(Team, team) for team in answer["teams"]), email=answer["email"])
