"""The database that is measured on, and gone afterwards."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from tawny.db import embedded
from tawny.db.migrate import migrate
from tawny.db.pool import connect

T = TypeVar("T")

GIVEN = "TAWNY_DATABASE_URL"


@contextmanager
def database() -> Iterator[str]:
    """The url of an empty, migrated database: a new one on the server of TAWNY_DATABASE_URL, or an embedded PostgreSQL.

    The embedded one has the settings it has in production, so it waits for the disk at each commit.
    """
    given = os.environ.get(GIVEN)
    with _on_server(given) if given else _embedded() as url:
        asyncio.run(_migrate(url))
        yield url


async def _migrate(url: str) -> None:
    conn = await connect(url, timeout=None)
    await migrate(conn)
    await conn.close()


@contextmanager
def _embedded() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="tawny-bench-") as folder, embedded.own(Path(folder)) as owned:
        yield owned.url


@contextmanager
def _on_server(server_url: str) -> Iterator[str]:
    name = f"tawny_bench_{os.getpid()}"
    asking(server_url, lambda conn: conn.execute(f'create database "{name}"'))
    try:
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    finally:
        asking(server_url, lambda conn: conn.execute(f'drop database "{name}" with (force)'))


def asking(url: str, verb: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    """Do one thing on a connection of its own, which may take as long as it needs."""
    return asyncio.run(_asking(url, verb))


async def _asking(url: str, verb: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    # Not as Tawny connects: behind PgBouncer that would be in a transaction, where nothing can be vacuumed.
    conn = await asyncpg.connect(url, statement_cache_size=0, server_settings={"application_name": "tawny-bench"})
    try:
        return await verb(conn)
    finally:
        await conn.close()
