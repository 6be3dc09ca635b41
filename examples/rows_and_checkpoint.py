"""Rows and a checkpoint in one transaction: each page is stored exactly once, whatever dies in between.

Run it:  tawny serve --app examples.rows_and_checkpoint:app
Try it:  trigger load_readings '{"pages": 30}'; watch

Look at the primary key of `readings`: were a page stored a second time after a crash, its insert would raise. It never
does, since the rows and the number of the next page are committed together, and only by the attempt that still has the
run.
"""

from __future__ import annotations

import asyncio

from tawny import Run, Tawny

app = Tawny()
TABLE = "create table if not exists readings (source text, number int, value int, primary key (source, number))"
PAGE = 50


@app.job("load_readings", unique_by=("source",))
async def load_readings(run: Run, source: str = "meter-1", pages: int = 30) -> dict[str, int]:
    """Load all pages of a source into a table of our own, in Tawny's database."""
    if run.checkpointed is None:
        async with run.transaction() as tx:
            await tx.execute(TABLE)
            await tx.execute("delete from readings where source = $1", source)
            tx.checkpoint({"next_page": 0})
    first: int = run.checkpointed["next_page"]
    for page in range(first, pages):
        run.check_cancelled()
        rows = await fetch_page(source, page)  # not inside the transaction, which may take ten seconds
        async with run.transaction() as tx:
            await tx.executemany("insert into readings values ($1, $2, $3)", rows)
            tx.checkpoint({"next_page": page + 1})
        run.progress(page + 1, pages)
    return {"rows": pages * PAGE, "first_page_of_this_attempt": first}


async def fetch_page(source: str, page: int) -> list[tuple[str, int, int]]:
    await asyncio.sleep(0.02)
    return [(source, number, number % 7) for number in range(page * PAGE, (page + 1) * PAGE)]
