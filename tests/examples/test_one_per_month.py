"""One active run for each month."""

from __future__ import annotations

import pytest
from examples.one_per_month import app
from tests.examples.conftest import FloorOf

from tawny.db.ids import uuid7
from tawny.errors import Conflict, InvalidRequest
from tawny.testing import run


async def test_two_months_may_be_closed_at_once_and_one_only_once(floor_of: FloorOf) -> None:
    floor, project_id = await floor_of(app), uuid7()
    insert = "insert into projects (id, team_id, name, slug, color) values ($1, $2, 'P', 'p', '#000000')"
    await floor.conn.execute(insert, project_id, floor.team_id)

    async def close(**params: object) -> object:
        return await app.trigger(floor.conn, "close_month", team_id=floor.team_id, project_id=project_id, params=params)

    await close(month="2026-01")
    active = await close(month="2026-02")
    with pytest.raises(Conflict) as refused:
        await close(month="2026-02", dry_run=True)
    assert refused.value.details == {"existing_run_id": str(active)}


def test_what_is_no_month_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="month"):
        run(app, "close_month", {"month": "2026-13"})


def test_a_month_is_closed() -> None:
    outcome = run(app, "close_month", {"month": "2026-01"}, cancel_after=2)
    assert outcome.progress[-1].message == "2026-01: 2 of 50 accounts"
