"""Unique per month: two months may be closed at the same time, one month only once.

Run it:  tawny serve --app examples.one_per_month:app
Try it:  trigger close_month '{"month": "2026-01"}'; trigger close_month '{"month": "2026-02"}'
And:     trigger close_month '{"month": "2026-02"}'

Look at the third trigger, which the API answers with 409 and the id of the run that is active for that month. Without
`unique_by` already the second one would have met it: then one run for each job type and project may be active.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

from pydantic import StringConstraints

from tawny import Run, Tawny

app = Tawny()

Month = Annotated[str, StringConstraints(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]


@app.job("close_month", label="Close a month", unique_by=("month",))
async def close_month(run: Run, month: Month, dry_run: bool = False) -> dict[str, object]:
    """Close the books of one month. `dry_run` is not named in `unique_by`, so it does not tell runs apart."""
    for _ in run.track(range(50), message=f"{month}: {{processed}} of {{total}} accounts"):
        await asyncio.sleep(0.1)
    return {"month": month, "dry_run": dry_run}
