"""What a run writes while it runs: progress, log lines and checkpoints, of many runs in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tawny.db.pool import Connection
from tawny.runs.lease import Held
from tawny.runs.statements import queries

Written = tuple[Held, str]
"""A held run and a JSON text to store for it."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a run's log. `seq` counts over all attempts of the run; `fields` is a JSON text."""

    seq: int
    level: int
    message: str
    fields: str | None
    logged_at: datetime


@dataclass(frozen=True, slots=True)
class Flushed:
    """What one attempt has to store at a beat: its progress, when that changed, and log lines.

    `lines`, `bytes` and `dropped` are totals of the run up to and with these lines.
    """

    held: Held
    progress: str | None = None
    logs: Sequence[LogLine] = ()
    lines: int = 0
    bytes: int = 0
    dropped: int = 0


async def flush(conn: Connection, flushed: Sequence[Flushed]) -> None:
    """Store progress and log lines of each run that is still in this attempt's hands, in one statement. May be sent twice."""
    logs = [(f.held[0], line) for f in flushed for line in f.logs]
    await queries.flush(
        conn,
        run_ids=[f.held[0] for f in flushed],
        attempts=[f.held[1] for f in flushed],
        progresses=[f.progress for f in flushed],
        lines=[f.lines for f in flushed],
        bytes=[f.bytes for f in flushed],
        dropped=[f.dropped for f in flushed],
        log_runs=[run_id for run_id, _ in logs],
        log_seqs=[line.seq for _, line in logs],
        log_levels=[line.level for _, line in logs],
        log_messages=[line.message for _, line in logs],
        log_fields=[line.fields for _, line in logs],
        log_times=[line.logged_at for _, line in logs],
    )


async def save_checkpoints(conn: Connection, written: Sequence[Written]) -> set[UUID]:
    """Store the checkpoint of each run that is still in this attempt's hands, forget its crashes, and return those runs."""
    rows = await queries.save_checkpoints(
        conn,
        run_ids=[run_id for (run_id, _), _ in written],
        attempts=[attempt for (_, attempt), _ in written],
        states=[text for _, text in written],
    )
    return {row["id"] for row in rows}


async def fence(tx: Connection, held: Held, checkpoint: str | None = None) -> bool:
    """Keep a run in this attempt's hands until the transaction ends, and store its checkpoint when there is one.

    False when it is in other hands already: nothing that the transaction did may then be committed.
    """
    if checkpoint is not None:
        return bool(await save_checkpoints(tx, [(held, checkpoint)]))
    return await queries.fence(tx, run_id=held[0], attempt=held[1]) is not None
