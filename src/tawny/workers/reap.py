"""Take the runs of dead workers back, for ever. Every process does it; whoever comes first wins."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

import structlog

from tawny import runs
from tawny.db.pool import UNREACHABLE, Pool

log = structlog.get_logger()

BEAT = 1.0
"""Seconds between two looks at the list of workers."""

_ORPHANS_EVERY = 60


async def reap_forever(pool: Pool, *, lease: float, wake: Callable[[], None] = lambda: None) -> None:
    """Reap once a second until cancelled, and call `wake` whenever runs became due again.

    After the database was away, nothing is reaped for one lease: until then the workers could not renew, dead or alive.
    """
    not_before = 0.0
    beat = 0
    while True:
        if monotonic() >= not_before:
            try:
                await _reap_once(pool, lease, wake, orphans=beat % _ORPHANS_EVERY == 0)
            except UNREACHABLE as error:
                log.warning("reaping is put off until the database is back", error=type(error).__name__)
                not_before = monotonic() + lease
            except Exception:
                log.exception("reaping failed; it is tried again")
        beat += 1
        await asyncio.sleep(BEAT)


async def _reap_once(pool: Pool, lease: float, wake: Callable[[], None], *, orphans: bool) -> None:
    async with pool.transaction() as tx:
        taken = await runs.reap(tx, lease=lease)
    if orphans:
        async with pool.transaction() as tx:
            taken |= await runs.reap_orphans(tx)
    for run_id, status in taken.items():
        log.info("took a run back from a dead worker", run_id=str(run_id), status=status)
    if taken:
        wake()
