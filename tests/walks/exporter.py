"""The app of somebody who watches runs in a terminal."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tawny import JobFailed, Run, Tawny

app = Tawny()


@app.job("invoice_export", label="Invoice export")
async def invoice_export(run: Run, month: str, invoices: int = 1200, pause_ms: int = 10, stop_at: int = -1) -> dict[str, int]:
    """Export the invoices of a month.

    With `stop_at` it stops there until there is a file `go` in the current folder.
    """
    run.log.info("Export begins", month=month)
    for number in run.track(range(invoices), message="Exported {processed} of {total} invoices"):
        while number == stop_at and not Path("go").exists():
            run.check_cancelled()
            await asyncio.sleep(0.02)
        await asyncio.sleep(pause_ms / 1000)
    run.log.warning("Two invoices have no address", skipped=2)
    return {"exported": invoices}


@app.job("contact_import", label="Contact import", retries=1)
async def contact_import(run: Run, source: str = "crm") -> None:
    """Import contacts from another system, and update those that are there."""
    if run.attempt == 1:
        raise TimeoutError(f"{source} did not answer")
    raise JobFailed(f"Row 17 from {source} has no address.")
