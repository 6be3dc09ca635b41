"""One run: how it is, what happened to it, and what can be done."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from tawny import history, runs
from tawny.access import VIEW_RUN
from tawny.dashboard.page import TEAM, page
from tawny.dashboard.people import names_of, who
from tawny.dashboard.reply import Reply
from tawny.dashboard.runs import project_name, projects_of
from tawny.dashboard.visit import Visit
from tawny.dashboard.words import moment
from tawny.db.pool import Connection
from tawny.errors import NotFound
from tawny.history import Attempt, Timeline


@dataclass(frozen=True, slots=True)
class Bar:
    """An attempt as two stretches of a line that is 1,000 long: waited, then ran."""

    attempt: Attempt
    due: float
    started: float
    ended: float


@page("GET", f"{TEAM}/runs/{{run_id}}", needs=VIEW_RUN)
async def show_run(visit: Visit) -> Reply:
    """Everything about a run; for htmx only what changes."""
    async with visit.state.pool.acquire() as conn:
        run = await found(conn, visit)
        timeline = await history.timeline(conn, visit.actor, UUID(run["id"]))
        names, projects = await names_of(conn, visit), await projects_of(conn, visit)
    return visit.show(
        "_run.html" if visit.is_fragment else "run.html",
        run=run,
        ended=run["completed_at"] is not None,
        who=who(run["triggered_by"], names),
        project=project_name(run["project_id"], projects),
        timeline=timeline,
        state=state_of_run(run, timeline),
        bars=bars(timeline, datetime.now().astimezone()),
        stopped_by=_stopped_by(timeline, names),
    )


async def found(conn: Connection, visit: Visit) -> dict[str, Any]:
    """The run of the address; NotFound for one of another team, also of the visitor's."""
    run: dict[str, Any] = json.loads(await runs.find(conn, visit.actor, visit.call.id("run_id")))
    if run["team_id"] != str(visit.team.id):
        raise NotFound("Run not found.")
    return run


def state_of_run(run: Mapping[str, Any], timeline: Timeline) -> str:
    """The status, or more exactly: `cancelling` once that was asked for, `retrying` while the next attempt is waited for."""
    if run["status"] == "running" and any(event.kind == "cancel_requested" for event in timeline.events):
        return "cancelling"
    if run["status"] == "pending" and timeline.attempts:
        return "retrying"
    status: str = run["status"]
    return status


def bars(timeline: Timeline, now: datetime) -> list[Bar]:
    """The attempts on one line from when the first was due until the last ended, or now."""
    attempts = timeline.attempts
    if not attempts:
        return []
    begin = moment(attempts[0].due_at or attempts[0].started_at)
    end = max(moment(attempt.ended_at or now) for attempt in attempts)
    whole = max((end - begin).total_seconds(), 0.001)

    def at(time: datetime) -> float:
        return round(min(1.0, max(0.0, (moment(time) - begin).total_seconds() / whole)) * 1000, 1)

    return [Bar(a, at(a.due_at or a.started_at), at(a.started_at), at(a.ended_at or now)) for a in attempts]


def _stopped_by(timeline: Timeline, names: Mapping[str, str]) -> str | None:
    asked: Sequence[str] = [str(event.data.get("by", "")) for event in timeline.events if event.kind == "cancel_requested"]
    return who(asked[0], names) if asked else None


PAGES: Final = (show_run,)
