"""One server with the dashboard for each file of tests, and a new team for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from tests.dashboard.site import Site, look

from api.world import Served, World, serve
from tawny.db.pool import Connection


@pytest.fixture(scope="module")
def served(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(database_url, tmp_path_factory.mktemp("state")) as served:
        yield served


def browser(served: Served) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=served.url, timeout=20, verify=False, trust_env=False)


@pytest.fixture
async def world(served: Served, conn: Connection) -> AsyncIterator[World]:
    async with browser(served) as http:
        yield await World(served, conn, http).settle()


@pytest.fixture
async def stranger(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    """A browser in which nobody is signed in."""
    async with browser(served) as http:
        yield http


@pytest.fixture
async def site(world: World, served: Served) -> AsyncIterator[Site]:
    """Somebody who may everything."""
    async with browser(served) as http:
        yield await look(world, http, "owner")


@pytest.fixture
async def member(world: World, served: Served) -> AsyncIterator[Site]:
    """Somebody who may little."""
    async with browser(served) as http:
        yield await look(world, http, "member")
