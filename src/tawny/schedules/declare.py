"""Bring the schedules of system jobs in line with what the code says, and all of them with the rules of time zones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from tawny import runs
from tawny.db.ids import uuid7
from tawny.db.pool import Connection
from tawny.jobs import CronError, Job, parse_cron
from tawny.schedules.statements import queries

_BATCH: Final = 1_000


async def declare(tx: Connection, jobs: Mapping[str, Job]) -> None:
    """Make the schedules of system jobs what these job types say. Whoever starts a server calls it, in a transaction.

    One that is declared as before keeps its due times, so that what nothing ran at is caught up. One that is not declared any
    more is at rest, with its history; it comes back under its id.
    """
    moment = await runs.this_moment(tx)
    declared = [(job, parse_cron(job.cron, job.timezone)) for job in jobs.values() if job.scope == "system" and job.cron]
    await queries.withdraw(tx, job_types=[job.name for job, _ in declared])
    await queries.declare(
        tx,
        ids=[uuid7() for _ in declared],
        job_types=[job.name for job, _ in declared],
        crons=[cron.expression for _, cron in declared],
        timezones=[job.timezone for job, _ in declared],
        catch_ups=[job.catch_up for job, _ in declared],
        next_ats=[cron.next(moment) for _, cron in declared],
    )


async def refresh(tx: Connection) -> int:
    """Reckon the next due time of every schedule anew, and return how many have moved: governments change their clocks.

    What is due by now stays due. Whoever starts a server calls it, since that is when a machine has new rules.
    """
    moved, last = 0, UUID(int=0)
    while rows := await queries.to_come(tx, after=last, at_most=_BATCH):
        last = rows[-1]["id"]
        changes = []
        for row in rows:
            try:
                new = parse_cron(row["cron"], row["timezone"]).next(row["now"])
            except CronError:
                continue
            if new is not None and new != row["next_at"]:
                changes.append((row["id"], row["next_at"], new))
        if changes:
            ids, olds, news = zip(*changes, strict=True)
            await queries.move(tx, ids=ids, olds=olds, news=news)
        moved += len(changes)
    return moved
