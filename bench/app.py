"""The job types that are measured."""

from __future__ import annotations

import time

from tawny import Run, Tawny

app = Tawny()


@app.job("noop")
async def noop(run: Run) -> None:
    """Nothing at all."""


@app.job("roomy", concurrency=1000)
async def roomy(run: Run) -> None:
    """Nothing, with a limit that no worker here reaches."""


@app.job("three", concurrency=3)
async def three(run: Run) -> None:
    """Nothing, three at a time."""


@app.job("entered")
async def entered(run: Run) -> dict[str, int]:
    """Says when its handler was entered, on the clock that all processes of a machine share."""
    return {"entered_ns": time.monotonic_ns()}
