"""Take what is due, decide, make the runs, and write down what became of each due time: all in one transaction.

Nobody leads. Every worker looks; a schedule that another has locked is stepped over; and a due time is decided once, because its
row has a key. The only clock is that of the database.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import structlog

from tawny import runs
from tawny.db.pool import Connection
from tawny.errors import InvalidRequest
from tawny.jobs import CronError, Job, parse_cron, unique_key
from tawny.runs import Granted, Scheduled
from tawny.schedules.plan import ACTIVE, Plan, Tick, plan
from tawny.schedules.statements import queries
from tawny.schedules.write import write_ticks

log = structlog.get_logger()

BATCH: Final = 100
"""Schedules that one transaction is about."""
_MOST_TICKS: Final = 1_000
"""Rows after which it takes no further schedule: after a day of nothing, each of them may have more than that."""
_SOON: Final = 2.0
"""Seconds after which a schedule that waits for something is looked at again."""
_MUCH_LATER: Final = 600.0


@dataclass(frozen=True, slots=True)
class Ticked:
    """How many schedules were looked at, and how many runs were made."""

    schedules: int
    started: int


@dataclass(frozen=True, slots=True)
class _Due:
    """A schedule whose time has come, and what is to be done about it. No plan: it cannot be looked at now."""

    row: Mapping[str, Any]
    plan: Plan | None
    wait: float = 0.0

    @property
    def id(self) -> UUID:
        schedule_id: UUID = self.row["id"]
        return schedule_id


async def seconds_to_next(conn: Connection, job_types: Sequence[str]) -> float | None:
    """How long until a schedule of these job types is due; less than 0 when one is, None when there is none.

    One look at an index for each job type, however many schedules there are.
    """
    seconds: float | None = await queries.seconds_to_next(conn, job_types=job_types)
    return seconds


async def tick(tx: Connection, jobs: Mapping[str, Job], *, at_most: int = BATCH) -> Ticked:
    """Decide the due times of schedules of these job types that have come, and make their runs. Needs a transaction.

    It takes some of those that are due; call it again until there are none.
    """
    rows = await queries.take_due(tx, job_types=list(jobs), at_most=at_most)
    if not rows:
        return Ticked(0, 0)
    await queries.wait_shortly(tx)
    living = await _hold_projects(tx, rows)
    due = list(_planned_within_bounds(rows, living))
    wanted = {d.id: _wanted(d.row, d.plan.wanted, jobs) for d in due if d.plan and d.plan.wanted}
    asked = [w for w in wanted.values() if isinstance(w, Scheduled)]
    granted = dict(zip([w.schedule_id for w in asked], await _make(tx, asked), strict=True))
    done = [_settled(d, wanted.get(d.id), granted.get(d.id)) for d in due]
    await _store(tx, done)
    started = sum(1 for got in granted.values() if got and got.made)
    return Ticked(len(due), started)


async def _hold_projects(tx: Connection, rows: Sequence[Any]) -> set[UUID | None]:
    wanted = sorted({row["project_id"] for row in rows if row["project_id"] is not None})
    return {None, *(row["id"] for row in await queries.hold_projects(tx, project_ids=wanted))} if wanted else {None}


def _planned_within_bounds(rows: Sequence[Any], living: set[UUID | None]) -> Iterator[_Due]:
    """Plan for the first of these, until there is enough to write; the others are left to the next transaction."""
    ticks = 0
    for row in rows:
        due = _planned(row, held=row["project_id"] in living)
        yield due
        ticks += len(due.plan.ticks) if due.plan else 0
        if ticks > _MOST_TICKS:
            return


def _planned(row: Any, *, held: bool) -> _Due:
    if not held:
        return _Due(row, None, _SOON)
    try:
        cron = parse_cron(row["cron"], row["timezone"])
        return _Due(row, plan(cron, row["catch_up"], enabled=row["enabled"], due_at=row["next_at"], now=row["now"]))
    except CronError as error:  # a time zone that this machine does not know, or not any more
        log.warning("a schedule cannot be read; others are not held up", schedule_id=str(row["id"]), error=str(error))
    except Exception:
        log.exception("a schedule cannot be planned for; others are not held up", schedule_id=str(row["id"]))
    return _Due(row, None, _MUCH_LATER)


def _wanted(row: Mapping[str, Any], due_at: datetime, jobs: Mapping[str, Job]) -> Scheduled | str:
    """The run to ask for; or why there can be none: the job type takes other params by now, or is of another scope."""
    job, params = jobs[row["job_type"]], json.loads(row["params"])
    if (job.scope == "system") != (row["team_id"] is None):
        return f"{job.name} is a {job.scope} job by now"
    try:
        key = unique_key(job, job.params.check(params))
    except InvalidRequest as error:
        return error.message
    return Scheduled(
        job=job,
        team_id=row["team_id"],
        project_id=row["project_id"],
        params=params,
        unique_key=key,
        schedule_id=row["id"],
        due_at=due_at,
    )


async def _make(tx: Connection, wanted: Sequence[Scheduled]) -> list[Granted | None]:
    """Make these runs. None: somebody's transaction holds its slot, and does not end; the others do not wait for that."""
    if not wanted:
        return []
    try:
        async with tx.transaction():
            return list(await runs.make_scheduled(tx, wanted))
    except asyncpg.LockNotAvailableError:
        if len(wanted) == 1:
            return [None]
    half = len(wanted) // 2
    return await _make(tx, wanted[:half]) + await _make(tx, wanted[half:])


def _settled(due: _Due, wanted: Scheduled | str | None, got: Granted | None) -> _Due:
    """With the tick of the due time that a run was wanted for, unless that has to wait."""
    if due.plan is None or due.plan.wanted is None or wanted is None:
        return due
    at, planned = due.plan.wanted, due.plan
    if isinstance(wanted, str):
        tick = Tick(due_at=at, decision="skipped_disabled", reason=wanted)
    elif got is None or (planned.patient and not got.made):
        return replace(due, plan=replace(planned, next_at=at), wait=_SOON)
    elif got.made:
        tick = Tick(due_at=at, decision="started", run_id=got.run_id)
    else:
        tick = Tick(due_at=at, decision="skipped_active", reason=ACTIVE, run_id=got.run_id)
    return replace(due, plan=replace(planned, ticks=[*planned.ticks, tick]))


async def _store(tx: Connection, done: Sequence[_Due]) -> None:
    ticks = [(d.id, d.row["team_id"], tick) for d in done if d.plan for tick in d.plan.ticks]
    if ticks:
        await write_ticks(tx, ticks)
    await queries.advance(
        tx,
        ids=[d.id for d in done],
        next_ats=[d.plan.next_at if d.plan else d.row["next_at"] for d in done],
        waits=[d.wait for d in done],
    )
