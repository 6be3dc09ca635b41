"""Connections are waited for in order, and not for ever."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from tests.waiting import until

from tawny.db import pool
from tawny.db.pool import Connection, Pool, connect_when_ready, open_pool


async def test_who_does_not_get_a_turn_in_time_is_told_to_go(database_url: str) -> None:
    small = await open_pool(database_url, size=1)
    small._patience = 0.01  # opening the first connection may take longer
    async with small.acquire():
        with pytest.raises(TimeoutError):
            async with small.acquire():
                pass
    async with small.acquire() as conn:
        assert await conn.fetchval("select 1") == 1
    await small.close()


async def test_the_one_who_waits_longest_comes_first(database_url: str) -> None:
    small = await open_pool(database_url, size=1)
    served: list[int] = []

    async def ask(number: int) -> None:
        async with small.acquire() as conn:
            await conn.fetchval("select 1")
            served.append(number)

    await asyncio.gather(*(ask(number) for number in range(20)))
    assert served == list(range(20))
    await small.close()


async def test_a_connection_whose_statement_timed_out_is_not_used_again(database_url: str) -> None:
    small: Pool = await open_pool(database_url, size=1)
    async with small.acquire() as conn:
        first = conn.get_server_pid()
    with pytest.raises(TimeoutError):
        async with small.acquire() as conn:
            await conn.execute("select pg_sleep(10)", timeout=0.05)
    async with small.acquire() as conn:
        assert conn.get_server_pid() != first
    await small.close()


async def test_a_server_that_is_just_starting_is_waited_for(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = [asyncpg.CannotConnectNowError("the database system is starting up")] * 2
    really = pool.connect

    async def connect(url: str, **options: object) -> object:
        if refusals:
            raise refusals.pop()
        return await really(url, **options)

    monkeypatch.setattr(pool, "connect", connect)
    monkeypatch.setattr(pool, "_LOOK_AGAIN", 0.0)
    conn = await connect_when_ready(database_url)
    assert await conn.fetchval("select 1") == 1
    await conn.close()


async def test_a_server_that_never_comes_is_not_waited_for_for_ever(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def connect(_url: str, **_options: object) -> object:
        raise asyncpg.CannotConnectNowError("the database system is shutting down")

    monkeypatch.setattr(pool, "connect", connect)
    with pytest.raises(asyncpg.CannotConnectNowError):
        await connect_when_ready(database_url, patience=-1.0)


async def test_who_does_not_wait_for_a_pool_to_open_leaves_no_connection_behind(
    database_url: str, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody ends would keep the loop of a worker's control thread from closing."""
    connected = asyncio.Event()

    async def release(*_: object) -> None:
        connected.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncpg.pool.Pool, "release", release)
    opening = asyncio.create_task(open_pool(database_url, size=1, application="impatient"))
    await connected.wait()
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening

    async def gone() -> bool:
        return not await conn.fetchval("select count(*) from pg_stat_activity where application_name = 'impatient'")

    await until(gone, "the end of the connection")
