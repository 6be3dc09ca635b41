"""What people watch and stop in the walks of the dashboard."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from tawny import JobFailed, Run, Tawny

app = Tawny()


@app.job("catalog", label="Catalog import", unique_by=("source",))
async def catalog(
    run: Run,
    source: str = "a",
    rows: Annotated[int, Field(ge=1, le=10_000)] = 100,
    pause_ms: int = 10,
    mode: Literal["full", "delta"] = "delta",
    note: str = "",
    password: str | None = None,
    options: dict[str, int] | None = None,
    dry_run: bool = False,
    gate: str | None = None,
) -> dict[str, int]:
    """Read a catalog.

    Args:
        rows: How many rows it has.
        gate: A file. It is not read before there is this one.
    """
    while gate and not Path(gate).exists():
        await asyncio.sleep(0.02)
    for row in run.track(range(rows), message="Row {processed} of {total}"):
        await asyncio.sleep(pause_ms / 1000)
        if row % 20 == 0:
            run.log.info(f"row {row} {note}", row=row)
    return {"rows": rows}


@app.job("stubborn", label="Watches for its end")
async def stubborn(run: Run, file: str) -> dict[str, str]:
    """Write into a file in which process it was stopped."""
    run.log.warning("begun")
    while not run.cancelled:
        await asyncio.sleep(0.02)
    Path(file).write_text(str(os.getpid()))
    return {"stopped": file}


@app.job("broken", label="Always fails", unique_by=("text",))
def broken(run: Run, text: str = "It broke.") -> None:
    """Fail with these words."""
    run.progress(1, 2, text)
    run.log.error(text, text=text)
    raise JobFailed(text, result={"text": text})


@app.job("patient", label="Waits for a file")
async def patient(run: Run, file: str) -> None:
    """End once there is this file, and not sooner."""
    while not Path(file).exists():
        await asyncio.sleep(0.02)


@app.job("traps", label="Stumbles at an item", unique_by=("item",))
def traps(run: Run, item: int) -> float:
    """Go through items, and stumble at the third."""
    run.log.info("begun")
    for number in range(item + 1):
        if number % 2:
            run.log.warning(f"item {number} is odd")
    run.log.debug("through")
    return 1 / (3 - item)
