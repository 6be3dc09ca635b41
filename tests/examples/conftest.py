"""What the tests of the examples share: a real worker for an example's own app."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from tests.workers.conftest import Floor

from tawny import Tawny
from tawny.db.pool import Connection

FloorOf = Callable[[Tawny], Awaitable[Floor]]


@pytest.fixture
async def floor_of(conn: Connection, database_url: str) -> AsyncIterator[FloorOf]:
    async def make(app: Tawny) -> Floor:
        floor = Floor(conn, database_url, app)
        await conn.execute("insert into teams (id, name, slug) values ($1, 'T', 't')", floor.team_id)
        return floor

    yield make
    # The tables that the examples make for themselves.
    await conn.execute("drop table if exists orders, readings")
