"""Delete what is too old: runs with their events and log lines, and ticks."""

from __future__ import annotations

from functools import partial
from typing import Any, Final
from uuid import UUID

from tawny.builtin.batches import LINES, ROWS, Batch, delete_all
from tawny.builtin.statements import queries
from tawny.db.pool import Connection
from tawny.jobs import Job, Options, Run, define

RETENTION: Final = "tawny.run_retention"

_FIRST: Final = UUID(int=0)
_RETRIES: Final = 10  # it goes on where it was, by itself: what is gone is gone


def retention_job(run_days: int, log_days: int) -> Job:
    """The job type that deletes runs that ended so many days ago, and log lines of those that ended so many days ago."""

    async def run_retention(run: Run) -> dict[str, Any]:
        """Delete runs that are too old, with their events and log lines."""
        lines = await delete_all(run, _old_lines(min(run_days, log_days)))
        deleted = await delete_all(run, _old_runs(run_days), lines)
        ticks = await delete_all(run, partial(queries.delete_old_ticks, days=run_days, at_most=ROWS), lines + deleted)
        return {"runs": deleted, "log_lines": lines, "ticks": ticks}

    options = Options(name=RETENTION, label="Run retention", scope="system", cron="0 2 * * *", retries=_RETRIES, builtin=True)
    return define(run_retention, options)


def _old_lines(days: int) -> Batch:
    """Batch after batch of lines. What one has left lying, the next does not look at again."""
    run_id, seq = _FIRST, 0

    async def batch(conn: Connection) -> Any:
        nonlocal run_id, seq
        last = await queries.delete_old_lines(conn, days=days, after_run=run_id, after_seq=seq, at_most=4 * ROWS)
        if last is not None:
            run_id, seq = last["run_id"], last["seq"]
        return last

    return batch


def _old_runs(days: int) -> Batch:
    """Batch after batch of runs, in the same way."""
    after = _FIRST

    async def batch(conn: Connection) -> Any:
        nonlocal after
        last = await queries.delete_old_runs(conn, days=days, after=after, at_most=ROWS, lines_at_most=LINES)
        if last is not None:
            after = last["id"]
        return last

    return batch
