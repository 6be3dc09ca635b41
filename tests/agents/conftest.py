"""A served API with its door for agents, and agents of the official SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from api.world import Served, World, serve
from tawny.db.pool import Connection


@pytest.fixture(scope="module")
def served(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(database_url, tmp_path_factory.mktemp("state"), mcp_triggers=3) as served:
        yield served


@pytest.fixture
async def world(served: Served, conn: Connection) -> AsyncIterator[World]:
    async with httpx.AsyncClient(base_url=served.url, timeout=20, verify=False, trust_env=False) as http:
        yield await World(served, conn, http).settle()


@asynccontextmanager
async def agent(world: World, key: str | None = None) -> AsyncIterator[Client]:
    """An agent that holds this key, or the world's."""
    headers = {"authorization": f"Bearer {key or world.key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=20, trust_env=False) as http,
        Client(streamable_http_client(f"{world.served.url}/mcp", http_client=http)) as client,
    ):
        yield client
