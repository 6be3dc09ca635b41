"""Take the runs of dead workers back."""

from __future__ import annotations

from uuid import UUID

from tawny.db.pool import Connection
from tawny.runs.run import CRASH_LIMIT, Status
from tawny.runs.statements import queries


async def reap(tx: Connection, *, lease: float) -> dict[UUID, Status]:
    """Take back every run of workers whose lease ran out, and return what became of each: pending, failed or cancelled.

    Needs a transaction. The dead are locked first and looked up anew afterwards, so that a claim which one of them had under way
    is either seen here or finds its worker gone. Costs one look at the small table of workers while nobody has died.
    """
    rows = await queries.lock_dead_workers(tx, lease=lease)
    dead = [row["id"] for row in rows]
    if not dead:
        return {}
    return await _take_back(tx, dead)


async def reap_orphans(tx: Connection) -> dict[UUID, Status]:
    """Take back running runs whose worker is not on the list at all, as after restoring a backup."""
    rows = await queries.orphans(tx)
    return await _take_back(tx, [row["worker_id"] for row in rows]) if rows else {}


async def _take_back(tx: Connection, workers: list[UUID]) -> dict[UUID, Status]:
    rows = await queries.take_back(tx, worker_ids=workers, crash_limit=CRASH_LIMIT)
    await queries.bury(tx, worker_ids=workers)
    return {row["id"]: row["status"] for row in rows}
