"""End attempts, many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from tawny.db.pool import Connection
from tawny.runs.lease import Held, columns
from tawny.runs.run import CRASH_LIMIT, Status
from tawny.runs.statements import queries


@dataclass(frozen=True, slots=True)
class Finish:
    """How an attempt ended, as its worker saw it. `result` and `progress` are JSON texts.

    `retrying` is a failure after which the run is due again in `delay` seconds.
    """

    run_id: UUID
    attempt: int
    status: Literal["completed", "failed", "cancelled", "retrying"]
    result: str | None = None
    error: str | None = None
    code: str | None = None
    traceback: str | None = None
    delay: float | None = None
    progress: str | None = None


@dataclass(frozen=True, slots=True)
class Crash:
    """An attempt that ended without a word: what ran it died. `reason` is the end of a sentence."""

    run_id: UUID
    attempt: int
    reason: str


async def finish(conn: Connection, finishes: Sequence[Finish]) -> dict[UUID, Status]:
    """End these attempts in one statement, and return what became of the runs that they ended.

    A run that somebody asked to stop ends cancelled whatever `status` says. A run that is not in this attempt's hands any more
    is left alone and is missing from the answer, unless this very attempt had ended before and only the reply was lost.
    """
    rows = await conn.fetch(
        queries.finish.sql,
        [f.run_id for f in finishes],
        [f.attempt for f in finishes],
        [f.status for f in finishes],
        [f.result for f in finishes],
        [f.error for f in finishes],
        [f.code for f in finishes],
        [f.traceback for f in finishes],
        [f.delay for f in finishes],
        [f.progress for f in finishes],
    )
    ended: dict[UUID, Status] = {row["id"]: row["status"] for row in rows}
    if len(ended) < len(finishes):
        ended |= await _ended_before(conn, [f for f in finishes if f.run_id not in ended])
    return ended


async def _ended_before(conn: Connection, finishes: Sequence[Finish]) -> dict[UUID, Status]:
    ids, attempts = columns([(f.run_id, f.attempt) for f in finishes])
    rows = await queries.ended_by(conn, run_ids=ids, attempts=attempts)
    return {row["id"]: row["status"] for row in rows}


async def take_back(conn: Connection, crashes: Sequence[Crash]) -> dict[UUID, Status]:
    """Charge a crash to each of these runs and make it pending again; cancelled where somebody asked for that, failed
    (`poisoned`) at the third crash since its last checkpoint. Returns what became of each that was still in these hands."""
    rows = await queries.take_back(
        conn,
        run_ids=[c.run_id for c in crashes],
        attempts=[c.attempt for c in crashes],
        reasons=[c.reason for c in crashes],
        crash_limit=CRASH_LIMIT,
    )
    return {row["id"]: row["status"] for row in rows}


async def mark_overdue(conn: Connection, overdue: Sequence[tuple[Held, str]]) -> None:
    """Leave the fact that these attempts were told to stop, and why, and that they did not."""
    await queries.overdue(
        conn,
        run_ids=[run_id for (run_id, _), _ in overdue],
        attempts=[attempt for (_, attempt), _ in overdue],
        reasons=[reason for _, reason in overdue],
    )
