"""One run: how it is, what happened to it, and what can be done."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from tawny import history, runs, schedules
from tawny.access import CANCEL_RUN, TRIGGER_RUN, VIEW_RUN, VIEW_SCHEDULES
from tawny.api.history_query import LINES_DEFAULT, LINES_KNOWN, SEQ_MAX, parse_lines
from tawny.dashboard.copies import Wanted, copies
from tawny.dashboard.page import TEAM, page
from tawny.dashboard.people import names_of, who
from tawny.dashboard.reply import Reply
from tawny.dashboard.runs import project_name, projects_of
from tawny.dashboard.secrets import masked
from tawny.dashboard.visit import Question, Visit
from tawny.dashboard.words import moment
from tawny.db.pool import Connection
from tawny.errors import NotFound
from tawny.history import Attempt, Lines, Timeline
from tawny.jobs import LEVELS
from tawny.jobs.signature import PROJECT_ID
from tawny.schedules import Started


@dataclass(frozen=True, slots=True)
class Bar:
    """An attempt as two stretches of a line that is 1,000 long: waited, then ran."""

    attempt: Attempt
    due: float
    started: float
    ended: float


@dataclass(frozen=True, slots=True)
class Log:
    """Some lines of a log, and whether there are further ones."""

    lines: list[dict[str, Any]]
    has_more: bool
    dropped: int


@page("GET", f"{TEAM}/runs/{{run_id}}", needs=VIEW_RUN)
async def show_run(visit: Visit) -> Reply:
    """Everything about a run; for htmx only what changes."""
    async with visit.state.pool.acquire() as conn:
        run = await found(conn, visit)
        run_id = UUID(run["id"])
        timeline = await history.timeline(conn, visit.actor, run_id)
        names, projects = await names_of(conn, visit), await projects_of(conn, visit)
        lines = None if visit.is_fragment else await _last_lines(conn, visit, run_id)
        schedule = await _schedule_of(conn, visit, run)
    job = visit.state.jobs.get(run["job_type"])
    params = masked(run["params"], job)
    return visit.show(
        "_run.html" if visit.is_fragment else "run.html",
        run=run,
        ended=run["completed_at"] is not None,
        who=who(run["triggered_by"], names),
        schedule=schedule,
        project=project_name(run["project_id"], projects),
        params=params,
        timeline=timeline,
        state=state_of_run(run, timeline),
        bars=bars(timeline, datetime.now().astimezone()),
        stopped_by=_stopped_by(timeline, names),
        copies=copies(_once_more(visit, run, params or {})),
        log=lines,
        levels=tuple(LEVELS),
        level="debug",
        search="",
        may_cancel=visit.may(CANCEL_RUN),
        may_retry=visit.may(TRIGGER_RUN) and job is not None and job.scope == "project",
    )


@page("GET", f"{TEAM}/runs/{{run_id}}/logs", needs=VIEW_RUN)
async def show_logs(visit: Visit) -> Reply:
    """Lines of the log, as parts of the page: new ones behind `after`, older ones before `before`, or the last that match."""
    given = {name: text for name, text in visit.query.items() if name in LINES_KNOWN}
    last = {} if {"after", "before"} & given.keys() else {"before": str(SEQ_MAX)}
    asked = parse_lines(urlencode(given | last).encode())
    async with visit.state.pool.acquire() as conn:
        run = await found(conn, visit)
        lines = await history.logs(conn, visit.actor, UUID(run["id"]), **asdict(asked))
    return visit.show(
        "_log_lines.html" if "after" in given else "_log.html",
        run=run,
        log=_shown(lines),
        level=given.get("level", "debug"),
        search=given.get("search", ""),
        older="before" in given,
    )


@page("GET", f"{TEAM}/runs/{{run_id}}/cancel", needs=CANCEL_RUN)
async def ask_to_cancel(visit: Visit) -> Reply:
    """Ask whether the run is to stop."""
    async with visit.state.pool.acquire() as conn:
        run = await found(conn, visit)
    return visit.ask(
        Question(
            title=f"Cancel this run of {run['job_type']}?",
            sentence="A pending run ends at once. A running one ends as soon as its handler looks; what it has done stays done.",
            action=visit.path(f"runs/{run['id']}/cancel"),
            back=visit.path(f"runs/{run['id']}"),
            button="Cancel the run",
            danger=True,
        )
    )


@page("POST", f"{TEAM}/runs/{{run_id}}/cancel", needs=CANCEL_RUN)
async def cancel_run(visit: Visit) -> Reply:
    """Ask the run to stop, whatever it is doing."""
    async with visit.state.pool.acquire() as conn:
        run = await found(conn, visit)
        worker_id = await runs.cancel(conn, visit.actor, UUID(run["id"]), include_pending=True)
    if worker_id is not None:
        visit.state.waker.wake(str(worker_id))
    return visit.go(visit.path(f"runs/{run['id']}"))


@page("POST", f"{TEAM}/runs/{{run_id}}/retry", needs=TRIGGER_RUN)
async def retry_run(visit: Visit) -> Reply:
    """Make a new run of the same, and go there."""
    visit.state.pace.spend(visit.actor)
    async with visit.state.pool.acquire() as conn:
        run = await found(conn, visit)
        made = await runs.retry(conn, visit.actor, UUID(run["id"]), visit.state.jobs)
    visit.state.waker.wake()
    return visit.go(visit.path(f"runs/{made.id}"))


async def found(conn: Connection, visit: Visit) -> dict[str, Any]:
    """The run of the address."""
    return await find_in_team(conn, visit, visit.call.id("run_id"))


async def find_in_team(conn: Connection, visit: Visit, run_id: UUID) -> dict[str, Any]:
    """A run of this team; NotFound for one of another, also of the visitor's."""
    run: dict[str, Any] = json.loads(await runs.find(conn, visit.actor, run_id))
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


async def _schedule_of(conn: Connection, visit: Visit, run: Mapping[str, Any]) -> Started | None:
    if run["triggered_by"] != "schedule" or not visit.may(VIEW_SCHEDULES):
        return None
    return await schedules.schedule_of(conn, visit.actor, visit.team.id, UUID(run["id"]))


async def _last_lines(conn: Connection, visit: Visit, run_id: UUID) -> Log:
    return _shown(await history.logs(conn, visit.actor, run_id, before=SEQ_MAX, level=LEVELS["debug"], limit=LINES_DEFAULT))


def _shown(lines: Lines) -> Log:
    return Log([json.loads(line) for line in lines.lines], lines.has_more, lines.dropped)


def _once_more(visit: Visit, run: Mapping[str, Any], params: Mapping[str, Any]) -> Wanted:
    given = {name: value for name, value in params.items() if name != PROJECT_ID}
    return Wanted(f"{visit.call.public_url}{visit.root}", visit.team.id, run["job_type"], run["project_id"], given)


def _stopped_by(timeline: Timeline, names: Mapping[str, str]) -> str | None:
    asked: Sequence[str] = [str(event.data.get("by", "")) for event in timeline.events if event.kind == "cancel_requested"]
    return who(asked[0], names) if asked else None


PAGES: Final = (show_run, show_logs, ask_to_cancel, cancel_run, retry_run)
