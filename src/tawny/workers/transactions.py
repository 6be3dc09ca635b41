"""What is behind `run.transaction()`: a handler's own transactions on Tawny's database, fenced by its attempt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from tawny import runs
from tawny.db.pool import Connection, Pool, open_pool
from tawny.errors import LeaseLost
from tawny.jobs import Transaction
from tawny.workers.attempt import Attempt

LONGEST: Final = 10.0
"""Seconds that a transaction may take, its wait for a connection included."""

_CONNECTIONS = 10


class Transactions:
    """Opens its connections when the first transaction needs one. Used on the handlers' loop only."""

    def __init__(self, url: str, *, connections: int = _CONNECTIONS) -> None:
        self._url = url
        self._connections = connections
        self._pool: Pool | None = None
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def open(self, attempt: Attempt) -> AsyncIterator[Transaction]:
        """A transaction that commits when the block ends, unless the attempt has lost its run by then."""
        limit = asyncio.timeout(LONGEST)
        try:
            async with limit, (await self._connected()).transaction() as conn:
                tx = Transaction(conn)
                yield tx
                if limit.expired():  # the handler has swallowed its interruption
                    raise TimeoutError
                await _fence(conn, attempt, tx.state)
        except TimeoutError:
            if not limit.expired():
                raise
            raise TimeoutError(f"run.transaction() took longer than {LONGEST:g} seconds and was rolled back.") from None

    async def _connected(self) -> Pool:
        async with self._opening:
            if self._pool is None:
                self._pool = await open_pool(self._url, size=self._connections, application="tawny-handlers", patience=LONGEST)
            return self._pool

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.close()


async def _fence(conn: Connection, attempt: Attempt, state: str | None) -> None:
    """The last statement before the commit: from here until then nobody can take the run."""
    attempt.check_lease()
    if not await runs.fence(conn, attempt.held, state):
        attempt.taken_away = True
        raise LeaseLost("This transaction was rolled back: the run is not in this attempt's hands any more.")
