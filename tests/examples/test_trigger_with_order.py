"""The order and its run are there together, or not at all."""

from __future__ import annotations

import json
from uuid import UUID

import pytest
from examples.trigger_with_order import TABLE, app, place_order
from tests.examples.conftest import FloorOf
from tests.workers.conftest import Floor

from tawny.db.ids import uuid7


async def shop(floor_of: FloorOf) -> tuple[Floor, UUID]:
    """A floor, and a project to trigger for."""
    floor, project_id = await floor_of(app), uuid7()
    await floor.conn.execute(TABLE)
    insert = "insert into projects (id, team_id, name, slug, color) values ($1, $2, 'P', 'p', '#000000')"
    await floor.conn.execute(insert, project_id, floor.team_id)
    return floor, project_id


async def test_an_order_is_confirmed_by_the_run_that_was_stored_with_it(floor_of: FloorOf) -> None:
    floor, project_id = await shop(floor_of)
    first, second = [await place_order(floor.conn, str(floor.team_id), str(project_id), name) for name in ("Ada", "Alan")]
    async with floor.working():
        assert json.loads(str((await floor.ended(first))["result"]))["customer"] == "Ada"
        await floor.ended(second)
    orders = await floor.conn.fetch("select customer, confirmed_by from orders order by id")
    assert [tuple(order) for order in orders] == [("Ada", first), ("Alan", second)]


async def test_an_order_whose_run_is_refused_is_not_stored(floor_of: FloorOf) -> None:
    floor, _ = await shop(floor_of)
    with pytest.raises(Exception, match="Project not found"):
        await place_order(floor.conn, str(floor.team_id), str(uuid7()), "Ada")
    assert await floor.conn.fetchval("select count(*) from orders") == 0


async def test_an_order_that_is_rolled_back_leaves_no_run(floor_of: FloorOf) -> None:
    floor, project_id = await shop(floor_of)
    outer = floor.conn.transaction()
    await outer.start()
    await place_order(floor.conn, str(floor.team_id), str(project_id), "Ada")
    await outer.rollback()
    assert await floor.conn.fetchval("select count(*) from job_runs") == 0


async def test_an_order_that_is_gone_fails_its_run(floor_of: FloorOf) -> None:
    floor, project_id = await shop(floor_of)
    run_id = await place_order(floor.conn, str(floor.team_id), str(project_id), "Ada")
    await floor.conn.execute("delete from orders")
    async with floor.working():
        assert str((await floor.ended(run_id))["error"]).startswith("There is no order")
