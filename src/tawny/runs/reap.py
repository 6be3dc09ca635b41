"""Take the runs of dead workers back."""

from __future__ import annotations

from uuid import UUID

from tawny.db.pool import Connection
from tawny.runs.finish import Crash, take_back
from tawny.runs.run import Status
from tawny.runs.statements import queries

_REASON = "the worker died while this run was on it"


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
    held = await queries.in_dead_hands(tx, worker_ids=workers)
    taken = await take_back(tx, [Crash(row["id"], row["attempt"], _REASON) for row in held]) if held else {}
    await queries.bury(tx, worker_ids=workers)
    return taken
