"""Behind PgBouncer, or a pooler like it: a server is lent to a connection for one transaction at a time.

So nothing may outlive a transaction there: no prepared statement, no LISTEN, no setting of the session.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import asyncpg


class PoolerConnection(asyncpg.Connection):
    """Runs every statement in a transaction, and begins every transaction with Tawny's settings, in the same message."""

    settings = ""
    """What sets them, as SQL."""

    async def execute(self, query: str, *args: Any, **options: Any) -> str:
        if not self.is_in_transaction() and query[:5].upper() == "BEGIN":  # what `transaction()` says, or somebody by hand
            return await super().execute(f"{query};{self.settings}", **options)
        async with self._transaction():
            return await super().execute(query, *args, **options)

    async def executemany(self, command: str, args: Iterable[Sequence[Any]], **options: Any) -> None:
        async with self._transaction():
            await super().executemany(command, args, **options)

    async def fetch(self, query: str, *args: Any, **options: Any) -> Any:
        async with self._transaction():
            return await super().fetch(query, *args, **options)

    async def fetchmany(self, query: str, args: Iterable[Sequence[Any]], **options: Any) -> Any:
        async with self._transaction():
            return await super().fetchmany(query, args, **options)

    async def fetchrow(self, query: str, *args: Any, **options: Any) -> Any:
        async with self._transaction():
            return await super().fetchrow(query, *args, **options)

    async def fetchval(self, query: str, *args: Any, **options: Any) -> Any:
        async with self._transaction():
            return await super().fetchval(query, *args, **options)

    def _transaction(self) -> AbstractAsyncContextManager[Any]:
        """One for a single statement, unless there is one already."""
        return nullcontext() if self.is_in_transaction() else self.transaction()

    async def add_listener(self, channel: str, callback: Any) -> None:
        """Refused: the server that would listen serves others the next moment."""
        raise asyncpg.InterfaceError("a connection through a pooler cannot LISTEN")


def refused_by_pooler(error: asyncpg.ProtocolViolationError) -> bool:
    """Whether a pooler, and not PostgreSQL, has refused this connection for a setting that it came with."""
    return "unsupported startup parameter" in str(error).lower()


async def connect_through_pooler(
    url: str, settings: Mapping[str, str], *, kept: Mapping[str, str], **options: Any
) -> PoolerConnection:
    """Open a connection whose transactions begin with `settings`. The pooler itself sees to those that are `kept`."""
    # Without a cache asyncpg gives statements no names, and parses each in the very message that runs it.
    conn: PoolerConnection = await asyncpg.connect(
        url, server_settings=dict(kept), **options | {"connection_class": PoolerConnection, "statement_cache_size": 0}
    )
    # To look a type up, asyncpg would turn jit off for the session, which is somebody else's the next moment.
    conn._server_caps = conn._server_caps._replace(jit=False)  # type: ignore[attr-defined]
    conn.settings = "".join(f"set local {name} = '{value}';" for name, value in settings.items())
    return conn
