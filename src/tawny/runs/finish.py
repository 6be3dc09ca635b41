"""End runs, many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from tawny.db.pool import Connection
from tawny.runs.lease import columns
from tawny.runs.run import Outcome
from tawny.runs.statements import queries


@dataclass(frozen=True, slots=True)
class Finish:
    """How an attempt ended, as its worker saw it. `result` and `progress` are JSON texts."""

    run_id: UUID
    attempt: int
    status: Literal["completed", "failed", "cancelled"]
    result: str | None = None
    error: str | None = None
    code: str | None = None
    progress: str | None = None


async def finish(conn: Connection, finishes: Sequence[Finish]) -> dict[UUID, Outcome]:
    """End these runs in one statement, and return those that ended by it and how.

    A run that somebody asked to stop ends cancelled whatever `status` says. A run that is not in this attempt's hands any more
    is left alone and is missing from the answer, unless this very attempt had ended it before and only the reply was lost.
    """
    ordered = sorted(finishes, key=lambda f: f.run_id)
    rows = await conn.fetch(
        queries.finish.sql,
        [f.run_id for f in ordered],
        [f.attempt for f in ordered],
        [f.status for f in ordered],
        [f.result for f in ordered],
        [f.error for f in ordered],
        [f.code for f in ordered],
        [f.progress for f in ordered],
    )
    ended: dict[UUID, Outcome] = {row["id"]: row["status"] for row in rows}
    if len(ended) < len(ordered):
        ended |= await _ended_before(conn, [f for f in ordered if f.run_id not in ended])
    return ended


async def _ended_before(conn: Connection, finishes: Sequence[Finish]) -> dict[UUID, Outcome]:
    ids, attempts = columns([(f.run_id, f.attempt) for f in finishes])
    rows = await queries.ended_by(conn, run_ids=ids, attempts=attempts)
    return {row["id"]: row["outcome"] for row in rows}
