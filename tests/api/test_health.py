"""GET /healthz and /readyz."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from api.world import World
from tawny.api import health
from tawny.db.migrate import known
from tawny.db.pool import Connection, Pool


class Lost(Pool):
    """A pool whose database is away, or does not answer."""

    def __init__(self, *, silent: bool) -> None:
        self._silent = silent

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        if self._silent:
            await asyncio.Event().wait()
        raise ConnectionRefusedError
        yield


async def test_both_are_fine_without_a_credential(world: World) -> None:
    for path in ("/healthz", "/readyz"):
        answer = await world.send("GET", path, as_=None)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", "/v1/job-types"])
async def test_head_is_answered_as_get(world: World, path: str) -> None:
    get, head = await world.send("GET", path), await world.send("HEAD", path)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", get.headers["content-length"])


@pytest.mark.parametrize("silent", [False, True])
async def test_without_a_database_the_process_is_up_but_not_ready(
    world: World, monkeypatch: pytest.MonkeyPatch, silent: bool
) -> None:
    monkeypatch.setattr(health, "READY_SECONDS", 0.05)
    state = world.served.api.state
    whole = state.tawny
    state.tawny = replace(whole, pool=Lost(silent=silent))
    up, ready = await world.send("GET", "/healthz"), await world.send("GET", "/readyz")
    state.tawny = whole
    assert up.status_code == 200
    assert (ready.status_code, ready.json()["code"], ready.headers["retry-after"]) == (503, "not_ready", "1")


async def test_a_schema_that_this_version_cannot_serve_is_not_ready(world: World) -> None:
    assert health.READY_SECONDS == 2
    await world.conn.execute(
        "insert into schema_migrations (number, name, min_code) values ($1, 'newer', $1)", known()[-1].number + 1
    )
    try:
        answer = await world.send("GET", "/readyz")
    finally:
        await world.conn.execute("delete from schema_migrations where name = 'newer'")
    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
    assert "newer Tawny" in answer.json()["error"]
