"""Look at what happened to one run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from tawny.access import VIEW_RUN, Actor
from tawny.db.pool import Connection
from tawny.errors import NotFound
from tawny.history.attempts import Attempt, Event, fold
from tawny.history.statements import queries
from tawny.runs import Status

EVENTS_SHOWN: Final = 1_000
RETRIES_SHOWN: Final = 100


@dataclass(frozen=True, slots=True)
class Timeline:
    """A run's past: where it came from, what followed, its attempts and its events, oldest first."""

    run_id: UUID
    status: Status
    due_at: datetime | None
    """When the next attempt may start; None unless the run is pending."""
    retry_of: UUID | None
    retried_by: list[UUID]
    """The first 100 runs that were made by retrying this one."""
    attempts: list[Attempt]
    events: list[Event]
    """The newest 1,000, without tracebacks: the attempts have those."""

    @property
    def truncated(self) -> bool:
        """Whether older events, and attempts that began before the first one shown, are left out."""
        return bool(self.events) and self.events[0].seq > 1


async def timeline(conn: Connection, actor: Actor, run_id: UUID) -> Timeline:
    """Return what happened to a run; NotFound when there is none for this actor (a system run never is)."""
    row = await queries.timeline(
        conn,
        run_id=run_id,
        team_ids=actor.teams_for(VIEW_RUN),
        most_retries=RETRIES_SHOWN,
        most_events=EVENTS_SHOWN,
    )
    if row is None:
        raise NotFound("Run not found.")
    events = [_event(told) for told in json.loads(row["events"] or "[]")]
    return Timeline(
        run_id=row["run_id"],
        status=row["status"],
        due_at=row["due_at"],
        retry_of=row["retry_of"],
        retried_by=row["retried_by"],
        attempts=fold(events),
        events=[_without_traceback(event) for event in events],
    )


def _event(told: dict[str, Any]) -> Event:
    return Event(told["seq"], told["kind"], told["attempt"], datetime.fromisoformat(told["at"]), told["data"] or {})


def _without_traceback(event: Event) -> Event:
    shown = {name: value for name, value in event.data.items() if name != "traceback"}
    return Event(event.seq, event.kind, event.attempt, event.at, shown)
