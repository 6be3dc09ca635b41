"""Through PgBouncer in transaction mode each statement finds Tawny's settings, and leaves nothing behind for the next client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import chain
from urllib.parse import urlsplit

import asyncpg
import pytest
from tests.pgbouncer import POOLER, SERVERS, pooled

from tawny.db.migrate import require_schema
from tawny.db.pool import Connection, Pool, can_listen, connect, keeps_settings
from tawny.db.pooler import PoolerConnection
from tawny.errors import StartError

pytestmark = pytest.mark.skipif(not POOLER, reason="needs PgBouncer: run with TEST_POOLER=transaction")

OURS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "plan_cache_mode", "jit")
IN_FORCE = ["5s", "2s", "10s", "force_generic_plan", "off"]
SHOWN = f"select {', '.join(f'current_setting({name!r}) as {name}' for name in OURS)}"

IGNORED = ", ".join((*OURS, "extra_float_digits"))


@pytest.fixture
async def stranger(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Somebody else's connection through the same PgBouncer, to the same servers."""
    conn = await asyncpg.connect(database_url, statement_cache_size=0)
    yield conn
    await conn.close()


async def test_nobody_has_to_say_that_it_is_a_pooler(conn: Connection, direct_conn: Connection, pool: Pool) -> None:
    assert type(conn) is PoolerConnection
    assert type(direct_conn) is asyncpg.Connection
    async with pool.acquire() as pooled_conn:
        assert (await pooled_conn.fetchrow(SHOWN))["lock_timeout"] == "2s"


async def test_every_way_to_run_a_statement_finds_our_settings(conn: Connection) -> None:
    assert list(await conn.fetchrow(SHOWN)) == IN_FORCE
    assert [list(row) for row in await conn.fetch(SHOWN)] == [IN_FORCE]
    assert await conn.fetchval(f"{SHOWN} where $1", True, column=1) == "2s"
    many = await conn.fetchmany("select current_setting($1)", [(name,) for name in OURS])
    assert [row[0] for row in many] == IN_FORCE
    await conn.execute("create unlogged table shown (name text, value text)")
    try:
        await conn.executemany("insert into shown select $1, current_setting($1)", [(name,) for name in OURS])
        await conn.execute("insert into shown select 'timezone', current_setting('timezone')")
        await conn.execute("insert into shown select $1, current_setting($1)", "application_name")
        rows = await conn.fetch("select value from shown")
    finally:
        await conn.execute("drop table shown")
    assert [row["value"] for row in rows] == [*IN_FORCE, "UTC", "tawny"]


@pytest.mark.parametrize("options", [{}, {"isolation": "serializable"}, {"readonly": True, "deferrable": True}])
async def test_a_transaction_finds_them_too_and_is_what_was_asked_for(conn: Connection, options: dict[str, str]) -> None:
    async with conn.transaction(**options):
        assert list(await conn.fetchrow(SHOWN)) == IN_FORCE
        async with conn.transaction():
            assert list(await conn.fetchrow(SHOWN)) == IN_FORCE
        assert await conn.fetchval("show transaction_isolation") == options.get("isolation", "read committed")


async def test_a_transaction_that_is_begun_by_hand_is_one(conn: Connection) -> None:
    await conn.execute("begin")
    assert list(await conn.fetchrow(SHOWN)) == IN_FORCE
    await conn.execute("insert into teams (id, name, slug) values (gen_random_uuid(), 'T', $1)", "t")
    await conn.execute("rollback")
    assert await conn.fetchval("select count(*) from teams") == 0


async def test_a_connection_for_migrations_has_no_time_limit(database_url: str) -> None:
    conn = await connect(database_url, timeout=None)
    assert list(await conn.fetchrow(SHOWN))[:2] == ["0", "0"]
    await conn.close()


async def test_nothing_is_left_on_a_server_for_the_next_client(pool: Pool, stranger: asyncpg.Connection) -> None:
    fresh = list(await stranger.fetchrow(SHOWN))
    assert fresh[:3] == ["0", "0", "0"]
    async with pool.transaction() as a, pool.transaction() as b, pool.transaction() as c:
        assert len({await conn.fetchval("select pg_backend_pid()") for conn in (a, b, c)}) == SERVERS
    for _ in range(3 * SERVERS):
        async with stranger.transaction():
            assert list(await stranger.fetchrow(SHOWN)) == fresh
            assert await stranger.fetchval("select count(*) from pg_prepared_statements") == 0


async def test_a_type_that_has_to_be_looked_up_leaves_nothing_either(conn: Connection, stranger: asyncpg.Connection) -> None:
    await conn.execute("create type mood as enum ('fine', 'well')")
    try:
        assert await conn.fetchval("select array['fine', $1]::mood[]", "well") == ["fine", "well"]
        assert await stranger.fetchval("select source from pg_settings where name = 'jit'") != "session"
    finally:
        await conn.execute("drop type mood")


async def test_clients_that_share_servers_do_not_meet_each_others_statements(pool: Pool) -> None:
    async def ask(number: int) -> list[int]:
        async with pool.acquire() as conn:
            return [await conn.fetchval(f"select {number} * $1::int", turn) for turn in range(20)]

    answers = await asyncio.gather(*(ask(number) for number in range(4 * SERVERS)))
    assert list(chain(*answers)) == [number * turn for number in range(4 * SERVERS) for turn in range(20)]


async def test_a_statement_that_fails_or_is_cut_short_is_undone_and_the_next_one_works(conn: Connection) -> None:
    with pytest.raises(asyncpg.UniqueViolationError):
        await conn.executemany("insert into teams (id, name, slug) values (gen_random_uuid(), 'T', $1)", [("a",), ("b",), ("a",)])
    assert await conn.fetchval("select count(*) from teams") == 0
    with pytest.raises(asyncpg.DivisionByZeroError):
        await conn.fetchval("select 1 / $1", 0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await conn.fetchval("select pg_sleep($1)", 60)
    assert not conn.is_in_transaction()
    assert await conn.fetchval("select 1") == 1


async def test_it_cannot_listen(conn: Connection, direct_conn: Connection) -> None:
    assert can_listen(direct_conn)
    assert not can_listen(conn)
    with pytest.raises(asyncpg.InterfaceError, match="pooler"):
        await conn.add_listener("tawny", print)


# A PgBouncer with another configuration


async def test_one_that_lends_a_server_for_longer_is_as_good(server_url: str, database_url: str) -> None:
    with pooled(server_url, database=database_of(database_url), pool_mode="session") as url:
        conn = await connect(url)
        assert list(await conn.fetchrow(SHOWN)) == IN_FORCE
        await require_schema(conn)
        await conn.close()


async def test_one_that_ignores_our_timeouts_is_still_seen_for_what_it_is(server_url: str, database_url: str) -> None:
    with pooled(server_url, database=database_of(database_url), ignore_startup_parameters=IGNORED) as url:
        conn = await connect(url)
        assert type(conn) is PoolerConnection
        assert list(await conn.fetchrow(SHOWN)) == IN_FORCE
        await require_schema(conn)
        await conn.close()


async def test_one_that_ignores_all_we_ask_for_is_refused_with_a_sentence(server_url: str, database_url: str) -> None:
    ignored = f"{IGNORED}, tawny.settings"
    with pooled(server_url, database=database_of(database_url), ignore_startup_parameters=ignored) as url:
        conn = await connect(url)
        assert not await keeps_settings(conn)
        with pytest.raises(StartError, match="use PgBouncer there, or connect to the database itself"):
            await require_schema(conn)
        await conn.close()


def database_of(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")
