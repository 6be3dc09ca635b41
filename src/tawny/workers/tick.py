"""Start what is due, for ever. Every worker does it for the job types that it knows; whoever comes first decides."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from random import uniform
from typing import Final

import structlog

from tawny import runs, schedules
from tawny.db.pool import BUSY, UNREACHABLE, Connection, Pool
from tawny.jobs import Job
from tawny.runs import NEW_RUN
from tawny.workers.backoff import Backoff

log = structlog.get_logger()

BEAT: Final = 1.0
"""Seconds between two looks while nothing is due sooner."""

_AT_ONCE: Final = 0.0
_TAKEN = (0.02, 0.1)
"""Seconds to wait, between these, for another worker that has what is due."""


async def tick_forever(pool: Pool, jobs: Mapping[str, Job], *, notify: bool) -> None:
    """Look once a second, and at the very moment at which something is due, until cancelled.

    While the database is away nothing is due; what has come meanwhile is caught up as each schedule wants it.
    """
    backoff = Backoff(longest=BEAT)
    while True:
        try:
            async with pool.acquire() as conn:
                pause = await beat(conn, jobs, notify=notify)
            backoff.reset()
        except UNREACHABLE as error:
            log.warning("schedules wait until the database is back", error=type(error).__name__)
            pause = backoff.next()
        except BUSY as error:
            log.warning("schedules are looked at again", error=type(error).__name__)
            pause = backoff.next()
        except Exception:
            log.exception("schedules could not be looked at; it is tried again")
            pause = BEAT
        await asyncio.sleep(pause)


async def beat(conn: Connection, jobs: Mapping[str, Job], *, notify: bool) -> float:
    """Look, and start what is due. How long to wait until the next look."""
    seconds = await schedules.seconds_to_next(conn, list(jobs))
    if seconds is None or seconds > 0:
        return BEAT if seconds is None else min(BEAT, seconds)
    async with conn.transaction():
        ticked = await schedules.tick(conn, jobs)
    if ticked.started and notify:
        await runs.wake(conn, {NEW_RUN})
    if ticked.schedules:
        return _AT_ONCE
    return uniform(*_TAKEN)  # noqa: S311 (not a secret)
