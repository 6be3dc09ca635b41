"""One server for each file of tests, and a new world for each test.

The server reaps and forgets in the background, so that it must be gone before the tests of a room have the database.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from api.world import Served, World, serve
from tawny.db.pool import Connection
from tawny.integrations.service import Manners
from tawny.testing.revenuecat import FakeRevenueCat, Options


@pytest.fixture(scope="module")
def served(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(database_url, tmp_path_factory.mktemp("state")) as served:
        yield served


@pytest.fixture
async def fake(served: Served) -> AsyncIterator[FakeRevenueCat]:
    """The RevenueCat that the server asks, without limits."""
    async with FakeRevenueCat(Options(customers=30, clock_scale=100)) as fake:
        fake.knobs.limits = False
        reached = served.api.state.tawny.revenuecat
        reached.url, reached.rate, reached.manners = fake.url, 0, Manners(backoff=0.01, busy=0.01)
        reached._paces.clear()
        reached._catalogs.clear()
        yield fake


@pytest.fixture
async def world(served: Served, conn: Connection) -> AsyncIterator[World]:
    async with httpx.AsyncClient(base_url=served.url, timeout=20, verify=False, trust_env=False) as http:
        yield await World(served, conn, http).settle()
