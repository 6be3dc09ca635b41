"""Schedules of projects: make, look at, change, pause and delete them, and run what they would run now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final, get_args
from uuid import UUID

from tawny import runs
from tawny.access import VIEW_SCHEDULES, WRITE_SCHEDULES, Actor, Project, differences, find_project_for, leave
from tawny.db.ids import uuid7
from tawny.db.pool import Connection
from tawny.errors import InvalidRequest, NotFound
from tawny.jobs import CatchUp, Cron, CronError, Job, parse_cron, parse_zone, unique_key
from tawny.runs import Triggered
from tawny.schedules.plan import CHANGED, Decision, Tick
from tawny.schedules.statements import queries
from tawny.schedules.write import write_ticks

AT_MOST: Final = 200
"""Schedules that a project may have."""
_TIMES: Final = 5
_TICKS: Final = 50


@dataclass(frozen=True, slots=True)
class Decided:
    """A due time and what became of it; `times` of them, up to `until`, where nothing ran for more than a day."""

    due_at: datetime
    decision: Decision
    reason: str | None
    run_id: UUID | None
    until: datetime | None
    times: int
    decided_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A project's schedule. `next_times` are the next five, none while it is paused; `last` is its newest decision."""

    id: UUID
    team_id: UUID
    project_id: UUID
    job_type: str
    cron: str
    timezone: str
    catch_up: CatchUp
    params: Mapping[str, Any]
    enabled: bool
    next_times: list[datetime]
    last: Decided | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Started:
    """Where the schedule of a run is."""

    project_id: UUID
    schedule_id: UUID


async def list_schedules(conn: Connection, actor: Actor, project_id: UUID) -> list[Schedule]:
    """List a project's schedules, oldest first; NotFound for a project that is not for this actor."""
    project = await find_project_for(conn, actor, project_id, VIEW_SCHEDULES)
    rows = await queries.list_schedules(conn, team_id=project.team_id, project_id=project_id)
    return [_schedule(row) for row in rows]


async def find_schedule(conn: Connection, actor: Actor, project_id: UUID, schedule_id: UUID) -> tuple[Schedule, list[Decided]]:
    """Return a schedule and its newest decisions, the newest first; NotFound when there is none for this actor."""
    project = await find_project_for(conn, actor, project_id, VIEW_SCHEDULES)
    found = await _find(conn, project, schedule_id)
    ticks = await queries.newest_ticks(conn, schedule_id=schedule_id, team_id=project.team_id, at_most=_TICKS)
    return found, [Decided(**row) for row in ticks]


async def schedule_of(conn: Connection, actor: Actor, team_id: UUID, run_id: UUID) -> Started | None:
    """The schedule whose due time started a run of the team; None when there was none, or when it has been deleted since."""
    actor.require(team_id, VIEW_SCHEDULES)
    row = await queries.schedule_of_run(conn, run_id=run_id, team_id=team_id)
    return Started(row["project_id"], row["id"]) if row else None


async def create_schedule(
    conn: Connection,
    actor: Actor,
    jobs: Mapping[str, Job],
    project_id: UUID,
    *,
    job_type: str,
    cron: str,
    timezone: str = "UTC",
    catch_up: str = "last",
    params: Mapping[str, Any] | None = None,
    enabled: bool = True,
) -> Schedule:
    """Make a schedule of a project job. Its first due time is the next one.

    InvalidRequest for a job type that a team may not trigger, params that do not fit it, an expression that is wrong or never due
    (`invalid_cron`), an unknown time zone (`invalid_timezone`) or catch-up, and one schedule too many; NotFound for a project
    that is not for this actor.
    """
    actor.teams_for(WRITE_SCHEDULES)
    job, parsed = runs.choose_job(jobs, job_type), _cron(cron, timezone)
    given = _params(job, params or {}, project_id)
    project = await find_project_for(conn, actor, project_id, WRITE_SCHEDULES)
    schedule_id = uuid7()
    made = await queries.insert_schedule(
        conn,
        id=schedule_id,
        team_id=project.team_id,
        project_id=project_id,
        job_type=job.name,
        cron=parsed.expression,
        timezone=timezone,
        catch_up=_catch_up(catch_up),
        params=json.dumps(given, ensure_ascii=False),
        enabled=enabled,
        made_by=actor.label,
        next_at=parsed.next(await runs.this_moment(conn)),
        at_most=AT_MOST,
    )
    if made is None:
        raise InvalidRequest(f"A project may have {AT_MOST} schedules; delete one first.", code="too_many_schedules")
    await leave(
        conn,
        actor,
        "create",
        "schedule",
        schedule_id,
        team_id=project.team_id,
        project_id=project_id,
        job_type=job.name,
        cron=parsed.expression,
        timezone=timezone,
    )
    return await _find(conn, project, schedule_id)


async def update_schedule(
    conn: Connection,
    actor: Actor,
    jobs: Mapping[str, Job],
    project_id: UUID,
    schedule_id: UUID,
    *,
    cron: str | None = None,
    timezone: str | None = None,
    catch_up: str | None = None,
    params: Mapping[str, Any] | None = None,
    enabled: bool | None = None,
) -> Schedule:
    """Change a schedule, or pause it (`enabled=False`); None leaves what it is. `params` take the place of all it had.

    InvalidRequest as `create_schedule`, NotFound when there is none for this actor. With another expression or time zone the next
    due time is reckoned from now.
    """
    project = await find_project_for(conn, actor, project_id, WRITE_SCHEDULES)
    row = await _locked(conn, project, schedule_id)
    before = {name: row[name] for name in _SHOWN_CHANGES}
    given = {"cron": cron, "timezone": timezone, "catch_up": catch_up, "enabled": enabled}
    after = before | {name: value for name, value in given.items() if value is not None}
    parsed = _cron(after["cron"], after["timezone"])
    after |= {"cron": parsed.expression, "catch_up": _catch_up(after["catch_up"])}
    text = row["params"]
    if params is not None:
        text = json.dumps(_params(runs.choose_job(jobs, row["job_type"]), params, project_id), ensure_ascii=False)
    moved = (after["cron"], after["timezone"]) != (before["cron"], before["timezone"])
    if moved:
        await _write_off(conn, row)
    next_at = parsed.next(row["now"]) if moved else row["next_at"]
    await queries.update_schedule(conn, id=schedule_id, team_id=project.team_id, params=text, next_at=next_at, **after)
    about: dict[str, Any] = {"project_id": project_id} | ({"params_changed": True} if text != row["params"] else {})
    changes = differences(before, after)
    await leave(conn, actor, "update", "schedule", schedule_id, team_id=project.team_id, changes=changes, **about)
    return await _find(conn, project, schedule_id)


_SHOWN_CHANGES: Final = ("cron", "timezone", "catch_up", "enabled")


async def _write_off(conn: Connection, row: Any) -> None:
    """Due times that have come and that nobody has decided: the schedule is about to have others."""
    cron = _known(row)
    if cron is not None and row["next_at"] is not None and row["next_at"] <= row["now"]:
        times, last = cron.count(row["next_at"], row["now"])
        tick = Tick(due_at=row["next_at"], decision="missed", reason=CHANGED, until=last, times=times)
        await write_ticks(conn, [(row["id"], row["team_id"], tick)])


async def delete_schedule(conn: Connection, actor: Actor, project_id: UUID, schedule_id: UUID) -> None:
    """Delete a schedule; NotFound when there is none for this actor. Runs that it has started go on."""
    project = await find_project_for(conn, actor, project_id, WRITE_SCHEDULES)
    row = await _locked(conn, project, schedule_id)
    await queries.delete_schedule(conn, id=schedule_id, team_id=project.team_id)
    about: dict[str, Any] = {"project_id": project_id, "job_type": row["job_type"], "cron": row["cron"]}
    await leave(conn, actor, "delete", "schedule", schedule_id, team_id=project.team_id, **about)


async def run_now(conn: Connection, actor: Actor, jobs: Mapping[str, Job], project_id: UUID, schedule_id: UUID) -> Triggered:
    """Make the run that the schedule would make, as a trigger of this actor's, which its due times know nothing of.

    Raises what `runs.trigger` raises, and NotFound when there is no such schedule for this actor.
    """
    project = await find_project_for(conn, actor, project_id, WRITE_SCHEDULES)
    found = await _find(conn, project, schedule_id)
    job = runs.choose_job(jobs, found.job_type)
    return await runs.trigger(conn, actor, job, team_id=project.team_id, project_id=project_id, params=found.params)


async def _find(conn: Connection, project: Project, schedule_id: UUID) -> Schedule:
    row = await queries.find_schedule(conn, id=schedule_id, project_id=project.id, team_id=project.team_id)
    if row is None:
        raise _not_found()
    return _schedule(row)


async def _locked(conn: Connection, project: Project, schedule_id: UUID) -> Any:
    row = await queries.lock_schedule(conn, id=schedule_id, project_id=project.id, team_id=project.team_id)
    if row is None:
        raise _not_found()
    return row


def _not_found() -> NotFound:
    return NotFound("Schedule not found.")


def _params(job: Job, params: Mapping[str, Any], project_id: UUID) -> dict[str, Any]:
    sent = runs.params_of_project(params, project_id)
    unique_key(job, job.params.check(sent))
    return sent


def _cron(expression: str, timezone: str) -> Cron:
    try:
        parse_zone(timezone)
    except CronError as error:
        raise InvalidRequest(f"timezone {error}.", code="invalid_timezone", field="timezone") from None
    try:
        return parse_cron(expression, timezone)
    except CronError as error:
        raise InvalidRequest(f"cron {error}.", code="invalid_cron", field="cron") from None


def _known(row: Any) -> Cron | None:
    """When a stored schedule is due; None where this machine does not know its time zone any more."""
    try:
        return parse_cron(row["cron"], row["timezone"])
    except CronError:
        return None


def _catch_up(word: str) -> str:
    if word not in get_args(CatchUp):
        raise InvalidRequest(f"catch_up should be {', '.join(get_args(CatchUp))}.", code="invalid_field", field="catch_up")
    return word


def _schedule(row: Any) -> Schedule:
    values = dict(row)
    last = {name.removeprefix("last_"): values.pop(name) for name in list(values) if name.startswith("last_")}
    now, cron = values.pop("now"), _known(row)
    return Schedule(
        **{**values, "params": json.loads(row["params"])},
        next_times=list(islice(cron.after(now), _TIMES)) if cron and row["enabled"] else [],
        last=Decided(**last) if last["due_at"] is not None else None,
    )
