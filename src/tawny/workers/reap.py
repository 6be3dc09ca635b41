"""Take the runs of dead workers back, for ever. Every process does it; whoever comes first wins."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

import structlog

from tawny import runs
from tawny.db.pool import BUSY, UNREACHABLE, Connection, Pool

log = structlog.get_logger()

BEAT = 1.0
"""Seconds between two looks at the list of workers."""

_ORPHANS_EVERY = 60


async def reap_forever(pool: Pool, *, lease: float, wake: Callable[[], None] = lambda: None) -> None:
    """Reap once a second until cancelled, and call `wake` whenever runs became due again.

    After the database was away, nothing is reaped for one lease: until then the workers could not renew, dead or alive. `pool`
    has one connection; that it is another one than a second ago says that the database was away, if only for a moment.
    """
    reaper = Reaper(pool, lease, wake)
    while True:
        try:
            await reaper.beat()
        except UNREACHABLE as error:
            log.warning("reaping is put off until the database is back", error=type(error).__name__)
            reaper.put_off()
        except BUSY as error:
            log.warning("reaping is tried again", error=type(error).__name__)
        except Exception:
            log.exception("reaping failed; it is tried again")
        await asyncio.sleep(BEAT)


class Reaper:
    """Looks for dead workers on the one connection of `pool`."""

    def __init__(self, pool: Pool, lease: float, wake: Callable[[], None]) -> None:
        self._pool = pool
        self._lease = lease
        self._wake = wake
        self._session: int | None = None
        self._not_before = 0.0
        self._beats = 0

    def put_off(self) -> None:
        """Give the workers one lease, from now on."""
        self._not_before = monotonic() + self._lease

    async def beat(self) -> None:
        async with self._pool.acquire() as conn:
            self._look_who_answers(conn)
            if monotonic() >= self._not_before:
                await self._reap(conn)

    def _look_who_answers(self, conn: Connection) -> None:
        session = conn.get_server_pid()
        if self._session not in (None, session):
            self.put_off()
        self._session = session

    async def _reap(self, conn: Connection) -> None:
        async with conn.transaction():
            taken = await runs.reap(conn, lease=self._lease)
        if self._beats % _ORPHANS_EVERY == 0:
            async with conn.transaction():
                taken |= await runs.reap_orphans(conn)
        self._beats += 1
        for run_id, status in taken.items():
            log.info("took a run back from a dead worker", run_id=str(run_id), status=status)
        if taken:
            self._wake()
