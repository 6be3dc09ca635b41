"""When a key was last used."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

import asyncpg
import pytest

from tawny.access import Actor
from tawny.access.authenticate import Authenticator
from tawny.access.last_used import LastUsed
from tawny.db.pool import Connection, Pool

MakeKey = Callable[..., Awaitable[str]]


async def last_used(conn: Connection) -> list[datetime | None]:
    return [row["last_used_at"] for row in await conn.fetch("select last_used_at from api_keys order by id")]


async def test_keys_that_were_used_are_written_down_together(
    authenticator: Authenticator, make_key: MakeKey, conn: Connection
) -> None:
    used, _unused, used_too = [f"Bearer {await make_key()}" for _ in range(3)]
    for header in (used, used_too, used):
        await authenticator.actor(header)
    assert await last_used(conn) == [None] * 3
    await authenticator.flush_last_used(conn)
    first, second, third = await last_used(conn)
    assert first is not None
    assert third == first
    assert second is None


async def test_it_is_written_at_most_once_a_minute(
    authenticator: Authenticator, make_key: MakeKey, conn: Connection, clock: Any
) -> None:
    header = f"Bearer {await make_key()}"

    async def use() -> datetime | None:
        clock.now += 1
        await authenticator.actor(header)
        await authenticator.flush_last_used(conn)
        return (await last_used(conn))[0]

    first = await use()
    assert first is not None
    assert await use() == first
    await conn.execute("update api_keys set last_used_at = last_used_at - interval '61 seconds'")
    later = await use()
    assert later is not None
    assert later >= first


async def test_a_refused_key_is_not_used(authenticator: Authenticator, make_key: MakeKey, conn: Connection) -> None:
    header = f"Bearer {await make_key()}"
    await conn.execute("update api_keys set revoked_at = now()")
    with pytest.raises(Exception, match="Sign in"):
        await authenticator.actor(header)
    await authenticator.flush_last_used(conn)
    assert await last_used(conn) == [None]


async def test_nothing_is_asked_when_no_key_was_used(authenticator: Authenticator, pool: Pool) -> None:
    async with pool.acquire() as closed:
        pass
    await authenticator.flush_last_used(closed)


async def test_keys_are_kept_when_they_cannot_be_written(
    authenticator: Authenticator, make_key: MakeKey, conn: Connection, pool: Pool
) -> None:
    await authenticator.actor(f"Bearer {await make_key()}")
    async with pool.acquire() as closed:
        pass
    with pytest.raises(asyncpg.InterfaceError):
        await authenticator.flush_last_used(closed)
    await authenticator.flush_last_used(conn)
    assert (await last_used(conn))[0] is not None


async def test_it_never_waits_for_a_locked_key(
    authenticator: Authenticator, make_key: MakeKey, conn: Connection, pool: Pool
) -> None:
    await authenticator.actor(f"Bearer {await make_key()}")
    await authenticator.actor(f"Bearer {await make_key()}")
    async with pool.transaction() as other:
        await other.execute("update api_keys set name = 'locked' where id = (select min(id::text)::uuid from api_keys)")
        await authenticator.flush_last_used(conn)
    locked, free = await last_used(conn)
    assert locked is None
    assert free is not None


async def test_it_is_written_in_the_background(authenticator: Authenticator, make_key: MakeKey, conn: Connection) -> None:
    task = asyncio.create_task(authenticator.run())
    await authenticator.actor(f"Bearer {await make_key()}")
    async with asyncio.timeout(5):
        while (await last_used(conn))[0] is None:
            await asyncio.sleep(0.01)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_the_background_outlives_a_database_that_is_away(make_key: MakeKey, conn: Connection, watched: Any) -> None:
    await make_key()
    notes = LastUsed()
    watched.failure = ConnectionRefusedError("no database")
    notes.note(Actor("api_key", await conn.fetchval("select id from api_keys")))
    task = asyncio.create_task(notes.run(watched, pause=0.001))
    async with asyncio.timeout(5):
        while watched.asked < 3:
            await asyncio.sleep(0.001)
        watched.failure = None
        while (await last_used(conn))[0] is None:
            await asyncio.sleep(0.01)
    assert not task.done()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
