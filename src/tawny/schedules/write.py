"""Write down what became of due times."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from tawny.db.pool import Connection
from tawny.schedules.plan import Tick
from tawny.schedules.statements import queries


async def write_ticks(tx: Connection, ticks: Sequence[tuple[UUID, UUID | None, Tick]]) -> None:
    """Write these ticks, each with the id and the team of its schedule.

    asyncpg's UniqueViolationError when one of them has been decided already: then nothing of the transaction may stay.
    """
    await queries.insert_ticks(
        tx,
        schedule_ids=[schedule_id for schedule_id, _, _ in ticks],
        team_ids=[team_id for _, team_id, _ in ticks],
        due_ats=[tick.due_at for _, _, tick in ticks],
        decisions=[tick.decision for _, _, tick in ticks],
        reasons=[tick.reason for _, _, tick in ticks],
        run_ids=[tick.run_id for _, _, tick in ticks],
        untils=[tick.until for _, _, tick in ticks],
        times=[tick.times for _, _, tick in ticks],
    )
