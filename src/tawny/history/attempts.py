"""What became of each attempt of a run, told from the run's events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal, get_args

Ending = Literal["completed", "failed", "cancelled", "retrying", "lost", "released"]

_ENDINGS: Final[dict[str, Ending]] = {ending: ending for ending in get_args(Ending)}
_MAKES_DUE: Final = frozenset({"triggered", "retrying", "lost", "released"})
_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Event:
    """A fact about a run. `seq` numbers the facts of one run without a gap, in the order in which they came about."""

    seq: int
    kind: str
    attempt: int
    at: datetime
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a run by a worker, which it names as `host:pid`. What has not come about yet is None."""

    number: int
    worker: str | None
    due_at: datetime | None
    """When it could have started; None when that lies before the events that were looked at."""
    started_at: datetime
    ended_at: datetime | None = None
    outcome: Ending | None = None
    overdue: bool = False
    """It was told to stop and did not in time."""
    error: str | None = None
    code: str | None = None
    traceback: str | None = None

    @property
    def waited_ms(self) -> int | None:
        return _milliseconds(self.due_at, self.started_at)

    @property
    def ran_ms(self) -> int | None:
        return _milliseconds(self.started_at, self.ended_at)


def _milliseconds(begin: datetime | None, end: datetime | None) -> int | None:
    """Never below 0, though the database's clock may have been set back."""
    return None if begin is None or end is None else max(0, (end - begin) // _MILLISECOND)


def fold(events: Iterable[Event]) -> list[Attempt]:
    """Return the attempts that these events, in their order, tell of. One that started before the first of them is left out."""
    attempts: dict[int, Attempt] = {}
    due_at: datetime | None = None
    for event in events:
        attempt = attempts.get(event.attempt)
        if event.kind in _MAKES_DUE and not _is_late(event, attempts):
            due_at = _due_at(event)
        if event.kind == "started":
            attempts[event.attempt] = Attempt(event.attempt, event.data.get("worker"), due_at, event.at)
        elif attempt is not None:
            attempts[event.attempt] = _after(attempt, event)
    return list(attempts.values())


def _is_late(event: Event, attempts: Mapping[int, Attempt]) -> bool:
    """Whether it tells of an attempt that was over by then; the run may be in other hands already."""
    if event.kind != "released":
        return False
    attempt = attempts.get(event.attempt)
    over = attempt is not None and attempt.outcome is not None
    return over or max(attempts, default=0) > event.attempt


def _due_at(event: Event) -> datetime:
    said = event.data.get("run_at")
    return datetime.fromisoformat(said) if said else event.at


def _after(attempt: Attempt, event: Event) -> Attempt:
    if event.kind == "overdue":
        return replace(attempt, overdue=True)
    if attempt.outcome == "lost":
        return _after_loss(attempt, event)
    ending = _ENDINGS.get(event.kind)
    over = attempt.outcome is not None  # then it tells of the run, which was cancelled while it waited
    return attempt if over or ending is None else _ended(attempt, event, ending)


def _ended(attempt: Attempt, event: Event, outcome: Ending) -> Attempt:
    told = event.data
    lost = f"Lost: {told['reason']}." if "reason" in told else None
    return replace(
        attempt,
        ended_at=event.at,
        outcome=outcome,
        error=told.get("error", lost),
        code=told.get("code"),
        traceback=told.get("traceback"),
    )


def _after_loss(attempt: Attempt, event: Event) -> Attempt:
    """A lost attempt stays lost when the run ends by that, and says why. A late release says that its worker was alive after all
    and that nothing was charged: then it was given back, at the time when it was taken."""
    if event.kind == "released":
        return replace(attempt, outcome="released", error=None)
    if event.kind == "failed":
        return replace(attempt, error=event.data.get("error"), code=event.data.get("code"))
    return attempt
