"""The job types that are measured."""

from __future__ import annotations

import time

from tawny import Run, Tawny

app = Tawny()


@app.job("noop")
async def noop(run: Run) -> None:
    """Nothing at all."""


@app.job("entered")
async def entered(run: Run) -> dict[str, int]:
    """Says when its handler was entered, on the clock that all processes of a machine share."""
    return {"entered_ns": time.monotonic_ns()}
