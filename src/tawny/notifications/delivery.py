"""One message to one receiver: what it is about, and what became of a try."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

Channel = Literal["mail", "webhook"]


@dataclass(frozen=True, slots=True)
class EndedRun:
    """The run that a message is about. It has ended and does not change any more; `public` is its JSON as the API shows it."""

    id: UUID
    job_type: str
    team: str | None
    team_slug: str | None
    project: str | None
    error: str | None
    code: str | None
    progress: Mapping[str, Any] | None
    result: Mapping[str, Any] | None
    started_at: datetime | None
    completed_at: datetime
    public: str = field(repr=False)

    @property
    def seconds(self) -> float | None:
        """How long its last attempt took; None when it never started."""
        return (self.completed_at - self.started_at).total_seconds() if self.started_at else None


@dataclass(frozen=True, slots=True)
class Webhook:
    """The webhook that a message goes to or is about. `open`: it is enabled and there. `secrets` are ciphertexts."""

    id: UUID
    name: str
    format: Literal["json", "slack"]
    open: bool
    disabled_because: str | None
    secrets: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message in the hands of a courier. `tries` is the number of the try that begins, and what guards its end."""

    id: UUID
    tries: int
    channel: Channel
    event: str
    address: str | None
    team: str | None
    created_at: datetime
    run: EndedRun | None
    webhook: Webhook | None
    team_slug: str | None = None

    def age(self, now: datetime) -> timedelta:
        """How long ago that happened which it tells of."""
        return now - (self.created_at if self.run is None else self.run.completed_at)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one try, and what is kept about it.

    `hopeless`: another try would end as this one did. `unsure`: nobody knows whether the receiver took it. `begun`: the receiver
    was asked at all.
    """

    taken: bool
    seconds: float
    hopeless: bool = False
    unsure: bool = False
    begun: bool = True
    status: int | None = None
    answer: str | None = None
    error: str | None = None
    request: str | None = field(default=None, repr=False)


def not_begun(why: str) -> Outcome:
    """What is not tried, and never will be."""
    return Outcome(taken=False, seconds=0.0, hopeless=True, begun=False, error=why)


def delivery_of(row: Mapping[str, Any]) -> Delivery:
    """A row of `claim_deliveries`."""
    return Delivery(
        id=row["id"],
        tries=row["tries"],
        channel=row["channel"],
        event=row["event"],
        address=row["address"],
        team=row["team_name"],
        created_at=row["created_at"],
        run=_run_of(row) if row["job_type"] else None,
        webhook=_webhook_of(row) if row["format"] else None,
        team_slug=row["team_slug"],
    )


def _run_of(row: Mapping[str, Any]) -> EndedRun:
    return EndedRun(
        id=row["run_id"],
        job_type=row["job_type"],
        team=row["team_name"],
        team_slug=row["team_slug"],
        project=row["project_name"],
        error=row["error"],
        code=row["error_code"],
        progress=_read(row["progress"]),
        result=_read(row["result"]),
        started_at=row["started_at"],
        completed_at=row["completed_at"],
        public=row["run"],
    )


def _webhook_of(row: Mapping[str, Any]) -> Webhook:
    return Webhook(
        id=row["webhook_id"],
        name=row["webhook_name"],
        format=row["format"],
        open=row["open"],
        disabled_because=row["disabled_because"],
        secrets=json.loads(row["secrets"]),
    )


def _read(text: str | None) -> Any:
    return None if text is None else json.loads(text)
