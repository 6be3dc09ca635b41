"""Connections to PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from time import monotonic
from typing import Any, Literal

import asyncpg

from tawny.db.pooler import PoolerConnection, connect_through_pooler, refused_by_pooler

Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy
Role = Literal["api", "worker"]

# What a statement raises when the database cannot be reached just now, as against when it says no.
UNREACHABLE: tuple[type[Exception], ...] = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that was told to end, and has not yet
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.exceptions.OperatorInterventionError,
)

# What a statement raises when the database is there and cannot do this just now: locks, deadlocks, no space, no memory.
BUSY: tuple[type[Exception], ...] = (
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
)

CALL_TIMEOUT = 4.5
"""Seconds any one statement may take before the connection is given up: also how a half-open network is noticed."""

_LOOK_AGAIN = 0.2

_SETTINGS: dict[str, str] = {
    "statement_timeout": "5s",
    "lock_timeout": "2s",
    # A stopped process must not hold a row lock for ever: nobody could take its runs back.
    "idle_in_transaction_session_timeout": "10s",
    # Tawny's statements have one good plan each; planning a list anew for each `limit` cost a third of its speed.
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
    # Of no effect. PgBouncer refuses it, also one that was told to ignore those above; and it shows that the others were taken.
    "tawny.settings": "on",
}


_behind_pooler: set[str] = set()
"""The urls that have turned out to be a pooler's."""


async def connect(url: str, *, timeout: float | None = CALL_TIMEOUT, application: str = "tawny") -> asyncpg.Connection:
    """Open one connection. With `timeout=None` a statement may take as long as it needs (migrations)."""
    settings = _SETTINGS if timeout is not None else _SETTINGS | {"statement_timeout": "0", "lock_timeout": "0"}
    return await _connect(url, settings=settings, application=application, timeout=CALL_TIMEOUT, command_timeout=timeout)


async def _connect(url: str, *, settings: dict[str, str], application: str, **options: Any) -> asyncpg.Connection:
    """Connect as to PostgreSQL; if it turns out to be a pooler, then and from then on as through a pooler."""
    kept = {"timezone": "UTC", "application_name": application}
    if url not in _behind_pooler:
        try:
            return await asyncpg.connect(url, server_settings=settings | kept, **options)
        except asyncpg.ProtocolViolationError as error:
            if not refused_by_pooler(error):
                raise
            _behind_pooler.add(url)
    return await connect_through_pooler(url, settings, kept=kept, **options)


def can_listen(conn: Connection) -> bool:
    """Whether this connection hears of a NOTIFY. One through a pooler never does."""
    return type(conn) is not PoolerConnection  # isinstance is true of every connection of asyncpg's


async def keeps_settings(conn: Connection) -> bool:
    """Whether Tawny's settings are in force here. A pooler that drops them in silence looks like PostgreSQL otherwise."""
    in_force: bool = await conn.fetchval("select coalesce(current_setting('tawny.settings', true), '') = 'on'")
    return in_force


async def connect_when_ready(url: str, *, timeout: float | None = CALL_TIMEOUT, patience: float = 30.0) -> asyncpg.Connection:
    """Open one connection; a server that is just starting, stopping or recovering gets `patience` seconds for that."""
    deadline = monotonic() + patience
    while True:
        try:
            return await connect(url, timeout=timeout)
        except asyncpg.CannotConnectNowError:
            if monotonic() > deadline:
                raise
        await asyncio.sleep(_LOOK_AGAIN)


class Pool:
    """A pool that serves whoever waits longest.

    asyncpg's own pool serves the newest waiter first, which triples the slowest answers once there are more requests than
    connections; so requests queue here, in order, before it.
    """

    def __init__(self, pool: asyncpg.Pool, size: int, patience: float) -> None:
        self._pool = pool
        self._turn = asyncio.Semaphore(size)
        self._patience = patience

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        """A connection for the length of the block. TimeoutError when it is not this caller's turn in time."""
        async with asyncio.timeout(self._patience):
            await self._turn.acquire()
        try:
            conn = await self._pool.acquire(timeout=self._patience)
            try:
                yield conn
            except TimeoutError:
                # The network may be dead: to cancel the statement in good order would take as long once more.
                conn.terminate()
                raise
            finally:
                await self._pool.release(conn)
        finally:
            self._turn.release()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection inside a transaction that commits when the block ends and rolls back when it raises."""
        async with self.acquire() as conn, conn.transaction():
            yield conn

    @property
    def used(self) -> int:
        """Connections that somebody has acquired now."""
        return self._pool.get_size() - self._pool.get_idle_size()

    @property
    def idle(self) -> int:
        """Connections that are open and wait for somebody."""
        return self._pool.get_idle_size()

    async def close(self) -> None:
        """Close every connection; those in use get a moment to finish."""
        try:
            async with asyncio.timeout(2):
                await self._pool.close()
        except TimeoutError:
            self.terminate()

    def terminate(self) -> None:
        """Close every connection at once."""
        self._pool.terminate()


async def open_pool(url: str, *, size: int = 10, application: str = "tawny", patience: float = CALL_TIMEOUT) -> Pool:
    """Open a pool of at most `size` connections to the database at `url`, which has to answer now.

    `patience`: seconds that a caller waits for its turn, and as many again for a new connection, before it is told to go.
    """
    pool = await asyncpg.create_pool(
        url,
        min_size=0,  # it would try to keep one while the database is away, and log each failure with its traceback
        max_size=size,
        reset=_leave_as_is,
        max_inactive_connection_lifetime=0,
        connect=partial(_connect, settings=_SETTINGS, application=application),
        timeout=CALL_TIMEOUT,
        command_timeout=CALL_TIMEOUT,
    )
    opened = Pool(pool, size, patience)
    try:
        async with opened.acquire():
            return opened
    except BaseException:
        pool.terminate()
        raise


async def _leave_as_is(_conn: Any) -> None:
    """Tawny leaves no session state behind, and resetting none saves a round trip for each request."""
