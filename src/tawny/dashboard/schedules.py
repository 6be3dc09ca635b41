"""What a team's projects start by themselves: when, what became of it, and what can be done."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any, Final

from tawny import runs, schedules
from tawny.access import VIEW_SCHEDULES, WRITE_SCHEDULES, Project
from tawny.api.uuids import parse_uuid
from tawny.dashboard.cron_words import cron_in_words
from tawny.dashboard.page import TEAM, page
from tawny.dashboard.projects import project_of
from tawny.dashboard.reply import Reply
from tawny.dashboard.runs import projects_of
from tawny.dashboard.secrets import masked
from tawny.dashboard.visit import Question, Visit
from tawny.db.pool import Connection
from tawny.jobs import CronError, parse_zone
from tawny.runs import Filter
from tawny.schedules import Decided, Schedule

PATH: Final = f"{TEAM}/schedules"
ONE: Final = f"{PATH}/{{project_id}}/{{schedule_id}}"

PROJECTS_AT_ONCE: Final = 25
RUNS_LOOKED_AT: Final = 200

DECISIONS: Final = {
    "started": "Started",
    "skipped_active": "Skipped: a run was active",
    "skipped_disabled": "Skipped: paused",
    "missed": "Missed: nothing ran at that time",
}
MARKS: Final = {"started": "released", "skipped_active": "cancelling", "skipped_disabled": "cancelled", "missed": "lost"}
"""The shape of each decision; what was started has the shape of its run, as long as that is known."""


@dataclass(frozen=True, slots=True)
class Row:
    """A schedule as people see it."""

    schedule: Schedule
    project: Project
    words: str
    zone: tzinfo

    @property
    def path(self) -> str:
        return f"schedules/{self.project.id}/{self.schedule.id}"


@dataclass(frozen=True, slots=True)
class Tick:
    """A due time, what became of it, and how the run is that it started."""

    decided: Decided
    mark: str
    words: str


@page("GET", PATH, needs=VIEW_SCHEDULES)
async def list_schedules(visit: Visit) -> Reply:
    """The schedules of every project, or of the one in the address."""
    chosen = parse_uuid(visit.query.get("project_id", ""))
    async with visit.state.pool.acquire() as conn:
        projects = await projects_of(conn, visit)
        wanted = [project for project in projects.values() if chosen in (None, project.id)][:PROJECTS_AT_ONCE]
        rows = [
            row_of(schedule, project)
            for project in wanted
            for schedule in await schedules.list_schedules(conn, visit.actor, project.id)
        ]
    return visit.show(
        "_schedules.html" if visit.is_fragment else "schedules.html",
        rows=rows,
        projects=projects,
        chosen=str(chosen or ""),
        left_out=chosen is None and len(projects) > PROJECTS_AT_ONCE,
        at_once=PROJECTS_AT_ONCE,
        decisions=DECISIONS,
        marks=MARKS,
        may_write=visit.may(WRITE_SCHEDULES),
    )


@page("GET", ONE, needs=VIEW_SCHEDULES)
async def show_schedule(visit: Visit) -> Reply:
    """A schedule: when it is due, what became of its due times, and what each run gets."""
    project, schedule, decided = await found(visit)
    async with visit.state.pool.acquire() as conn:
        statuses = await _statuses(conn, visit, schedule)
    job = visit.state.jobs.get(schedule.job_type)
    return visit.show(
        "_schedule.html" if visit.is_fragment else "schedule.html",
        row=row_of(schedule, project),
        ticks=[_tick(one, statuses) for one in decided],
        params=masked(without_project(schedule.params), job),
        job=job,
        may_write=visit.may(WRITE_SCHEDULES),
    )


@page("POST", f"{ONE}/run", needs=WRITE_SCHEDULES)
async def run_schedule(visit: Visit) -> Reply:
    """Run now what the schedule would run, and go there."""
    project, schedule, _ = await found(visit)
    visit.state.pace.spend(visit.actor)
    async with visit.state.pool.transaction() as conn:
        made = await schedules.run_now(conn, visit.actor, visit.state.jobs, project.id, schedule.id)
    visit.state.waker.wake()
    return visit.go(visit.path(f"runs/{made.id}"))


@page("POST", f"{ONE}/pause", needs=WRITE_SCHEDULES)
async def pause_schedule(visit: Visit) -> Reply:
    """Pause a schedule, or let it go on."""
    project, schedule, _ = await found(visit)
    enabled = visit.form.text("enabled") == "yes"
    async with visit.state.pool.transaction() as conn:
        await schedules.update_schedule(conn, visit.actor, visit.state.jobs, project.id, schedule.id, enabled=enabled)
    return visit.go(visit.path(row_of(schedule, project).path))


@page("GET", f"{ONE}/delete", needs=WRITE_SCHEDULES)
async def ask_to_delete_schedule(visit: Visit) -> Reply:
    """Ask whether a schedule is to go."""
    project, schedule, _ = await found(visit)
    row = row_of(schedule, project)
    return visit.ask(
        Question(
            title=f"Delete this schedule of {schedule.job_type}?",
            sentence=f"“{row.words}” in {project.name} starts nothing any more. Runs that it has started go on.",
            action=visit.path(f"{row.path}/delete"),
            back=visit.path(row.path),
            button="Delete the schedule",
            danger=True,
        )
    )


@page("POST", f"{ONE}/delete", needs=WRITE_SCHEDULES)
async def delete_schedule(visit: Visit) -> Reply:
    """Delete a schedule."""
    project, schedule, _ = await found(visit)
    async with visit.state.pool.transaction() as conn:
        await schedules.delete_schedule(conn, visit.actor, project.id, schedule.id)
    return visit.go(visit.path("schedules"))


PAGES: Final = (list_schedules, show_schedule, run_schedule, pause_schedule, ask_to_delete_schedule, delete_schedule)


async def found(visit: Visit) -> tuple[Project, Schedule, Sequence[Decided]]:
    """The schedule of the address, with its project and its newest decisions."""
    project = await project_of(visit, visit.call.id("project_id"))
    async with visit.state.pool.acquire() as conn:
        schedule, decided = await schedules.find_schedule(conn, visit.actor, project.id, visit.call.id("schedule_id"))
    return project, schedule, decided


def row_of(schedule: Schedule, project: Project) -> Row:
    """A schedule with its expression in words, and its time zone; UTC where this machine does not know that any more."""
    try:
        zone = parse_zone(schedule.timezone)
    except CronError:
        zone = UTC
    return Row(schedule, project, cron_in_words(schedule.cron), zone)


def without_project(params: Mapping[str, Any]) -> dict[str, Any]:
    """What people have typed."""
    return {name: value for name, value in params.items() if name != "project_id"}


async def _statuses(conn: Connection, visit: Visit, schedule: Schedule) -> Mapping[str, str]:
    """How the newest runs of the job in this project are."""
    where = Filter(job_type=schedule.job_type, project_id=schedule.project_id)
    newest = await runs.list_runs(conn, visit.actor, visit.team.id, where=where, limit=RUNS_LOOKED_AT)
    return {run["id"]: run["status"] for run in map(json.loads, newest.runs)}


def _tick(decided: Decided, statuses: Mapping[str, str]) -> Tick:
    status = statuses.get(str(decided.run_id)) if decided.decision == "started" else None
    if status is None:
        return Tick(decided, MARKS[decided.decision], DECISIONS[decided.decision])
    return Tick(decided, status, f"Started: {status}")
