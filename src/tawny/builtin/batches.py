"""Delete much, little by little: batch after batch, each in a transaction of its own, with pauses for everybody else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, Final

from tawny.db.pool import Connection
from tawny.jobs import Run

ROWS: Final = 500
"""Of a batch: few enough that it takes some milliseconds, and that nobody waits for its locks."""

LINES: Final = 5_000
"""Log lines of a batch, or those of its last run besides."""

Batch = Callable[[Connection], Awaitable[Any]]
"""Deletes some rows, and returns how many as `gone`, or nothing when there are none."""


async def delete_all(run: Run, batch: Batch, gone_before: int = 0) -> int:
    """Go on with batches until one comes back empty or somebody cancels, and return how many rows are gone.

    Between two of them it waits as long as the last one took, so that it never has more than half of anything.
    """
    gone = 0
    while not run.cancelled:
        begun = monotonic()
        async with run.transaction() as tx:
            row = await batch(tx.connection)
        if row is None or not row["gone"]:
            break
        gone += row["gone"]
        run.progress(gone_before + gone)
        await asyncio.sleep(monotonic() - begun)
    return gone
