"""Each page is stored exactly once, whenever the worker goes away."""

from __future__ import annotations

import json

import pytest
from examples.rows_and_checkpoint import PAGE, app
from tests.examples.conftest import FloorOf
from tests.waiting import until

from tawny.testing import run_async

PAGES = 20


@pytest.mark.slow
async def test_rows_and_checkpoint_agree_when_the_worker_goes_and_in_the_end(floor_of: FloorOf) -> None:
    floor = await floor_of(app)
    run_id = await floor.trigger("load_readings", pages=PAGES)

    async def next_page() -> int:
        return int(json.loads(str((await floor.row(run_id))["checkpoint"] or "{}")).get("next_page", 0))

    async with floor.working(drain=0.0):
        await until(next_page, "the first page")
    first = await next_page()
    assert 0 < first < PAGES
    assert await floor.conn.fetchval("select count(*) from readings") == first * PAGE
    async with floor.working():
        row = await floor.ended(run_id)
    assert json.loads(str(row["result"])) == {"rows": PAGES * PAGE, "first_page_of_this_attempt": first}
    numbers = await floor.conn.fetch("select number from readings order by number")
    assert [number for (number,) in numbers] == list(range(PAGES * PAGE))


async def test_it_may_be_run_again(floor_of: FloorOf) -> None:
    floor = await floor_of(app)
    for _ in range(2):
        outcome = await run_async(app, "load_readings", {"pages": 2}, connection=floor.conn)
        assert (outcome.status, outcome.checkpoint) == ("completed", {"next_page": 2})
    assert await floor.conn.fetchval("select count(*) from readings") == 2 * PAGE
