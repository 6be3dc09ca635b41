"""The jobs of a shop, for pictures in which something goes on."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from pydantic import Field

from tawny import JobFailed, Run, Tawny

app = Tawny()


@app.job("catalog_import", label="Catalog import")
async def catalog_import(
    run: Run,
    source: str,
    rows: Annotated[int, Field(ge=1, le=5000)] = 200,
    mode: Literal["full", "delta"] = "delta",
    pause_ms: int = 50,
    api_token: str | None = None,
) -> dict[str, int]:
    """Read a supplier's catalog into the shop.

    Args:
        source: The file that the supplier left.
        rows: How many rows it has.
        mode: Everything, or only what has changed.
        pause_ms: Milliseconds between two rows, so as not to press the supplier.
    """
    missing = 0
    for row in run.track(range(rows), message="Read {processed} of {total} rows"):
        await asyncio.sleep(pause_ms / 1000)
        if row % 7 == 0:
            run.log.info("row read", row=row, sku=f"A-{row:04}")
        if row % 23 == 22:
            missing += 1
            run.log.warning("the price is missing; the old one is kept", row=row)
    return {"rows": rows, "prices_missing": missing}


@app.job("invoice_export", label="Invoice export", retries=1)
async def invoice_export(run: Run, month: str, dry_run: bool = False) -> None:
    """Write the invoices of a month into a file for the accountants."""
    run.progress(118, 240, "Invoice 118 of 240")
    run.log.error("invoice 119 has no customer", invoice=119)
    raise JobFailed(f"The ledger of {month} does not balance: 3 entries have no counterpart.", result={"unbalanced": 3})


@app.job("stock_report", label="Stock report", unique_by=("day",))
def stock_report(run: Run, day: str) -> dict[str, str]:
    """Count what is on the shelves."""
    return {"day": day}


@app.job("price_check", label="Price check")
def price_check(run: Run, supplier: str) -> dict[str, float]:
    """Compare our prices with those of a supplier."""
    return {"share": len(supplier) / 0}
