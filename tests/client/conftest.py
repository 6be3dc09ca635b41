"""Both clients against one served app: what is asked of one is asked of the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Literal

import httpx
import pytest

from api.world import Served, World, serve
from client.wire import Wire
from tawny.client import AsyncClient, Client
from tawny.db.pool import Connection

Verb = Callable[[Any], Any]
Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def served(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(database_url, tmp_path_factory.mktemp("state")) as served:
        yield served


@pytest.fixture
async def world(served: Served, conn: Connection) -> AsyncIterator[World]:
    async with httpx.AsyncClient(base_url=served.url, timeout=20, verify=False, trust_env=False) as http:
        yield await World(served, conn, http).settle()


@pytest.fixture
async def wire(served: Served) -> AsyncIterator[Wire]:
    """The way to the server, which can be cut."""
    async with Wire(served.port) as wire:
        yield wire


class Either:
    """One of the two clients, as a test in a loop uses it. A generator that it gives is gone through to its end."""

    def __init__(self, kind: Literal["async", "sync"], world: World) -> None:
        self.kind = kind
        self._world = world

    async def __call__(
        self, verb: Verb, *, url: str | None = None, key: str | None = None, transport: Any = None, **options: Any
    ) -> Any:
        url, key = url or self._world.served.url, self._world.key if key is None else key
        if self.kind == "sync":
            return await asyncio.to_thread(_blocking, verb, Client(url, key, transport=transport, **options))
        async with AsyncClient(url, key, transport=transport, **options) as client:
            asked = verb(client)
            return [each async for each in asked] if hasattr(asked, "__aiter__") else await asked


def _blocking(verb: Verb, client: Client) -> Any:
    with client:
        asked = verb(client)
        return list(asked) if hasattr(asked, "__next__") else asked


@pytest.fixture(params=["async", "sync"])
def either(request: pytest.FixtureRequest, world: World) -> Either:
    return Either(request.param, world)
