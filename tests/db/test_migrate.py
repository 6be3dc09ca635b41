"""Migrations apply once, in order, under a lock, and refuse code that is too old."""

from __future__ import annotations

import asyncio

import pytest

from tawny.db.migrate import Migration, known, migrate, require_schema
from tawny.db.pool import Connection, connect
from tawny.errors import StartError


def test_migrations_are_numbered_without_gaps() -> None:
    assert [m.number for m in known()] == list(range(1, len(known()) + 1))


async def test_migrating_again_applies_nothing(conn: Connection) -> None:
    assert await migrate(conn) == []


async def test_a_migrated_database_is_accepted(conn: Connection) -> None:
    await require_schema(conn)


async def test_two_processes_migrate_at_once_and_each_migration_runs_once(scratch_url: str) -> None:
    conns = [await connect(scratch_url, timeout=None) for _ in range(4)]
    applied = await asyncio.gather(*(migrate(conn) for conn in conns))
    assert sorted(name for names in applied for name in names) == [m.name for m in known()]
    for conn in conns:
        await conn.close()


async def test_an_empty_database_is_refused_with_what_to_do(scratch_conn: Connection) -> None:
    with pytest.raises(StartError, match="tawny migrate"):
        await require_schema(scratch_conn)


async def test_older_code_runs_on_a_newer_schema(scratch_conn: Connection) -> None:
    newer = Migration(len(known()) + 1, "9998_newer", "create table later_things (id int)", min_code=0)
    await migrate(scratch_conn, [*known(), newer])
    await require_schema(scratch_conn)


async def test_older_code_is_refused_by_a_migration_that_says_so(scratch_conn: Connection) -> None:
    await migrate(scratch_conn)
    await scratch_conn.execute("insert into schema_migrations (number, name, min_code) values (99, 'newer', 99)")
    with pytest.raises(StartError, match="newer Tawny"):
        await require_schema(scratch_conn)


async def test_a_migration_that_fails_leaves_nothing(scratch_conn: Connection) -> None:
    broken = Migration(len(known()) + 1, "9999_broken", "create table half (id int); select 1/0", min_code=0)
    with pytest.raises(Exception, match="division by zero"):
        await migrate(scratch_conn, [*known(), broken])
    assert await scratch_conn.fetchval("select to_regclass('half')") is None
    await require_schema(scratch_conn)
