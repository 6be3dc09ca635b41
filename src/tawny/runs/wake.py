"""Wake-ups: hints that there is something to do. Whoever misses one finds out by polling."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Final

from tawny.db.pool import UNREACHABLE, Connection, Pool
from tawny.runs.statements import queries

CHANNEL: Final = "tawny"
NEW_RUN: Final = "run"
"""The message that some run is due. The message that a worker should look at its runs is the worker's id."""

_APART = 0.002
"""Seconds between two notifications: each takes a lock on the whole server when it commits."""


async def wake(conn: Connection, messages: Collection[str]) -> None:
    """Send these messages; from inside a transaction, when that commits."""
    await queries.wake(conn, channel=CHANNEL, messages=sorted(messages))


class Waker:
    """Sends wake-ups after the commit, many callers' as one.

    At most one is on its way at a time, and those asked for meanwhile go out together. A wake-up that cannot be sent is dropped.
    """

    def __init__(self, pool: Pool, *, enabled: bool = True) -> None:
        self._pool = pool
        self._enabled = enabled
        self._messages: set[str] = set()
        self._sending: asyncio.Task[None] | None = None

    def wake(self, message: str = NEW_RUN) -> None:
        """Send `message` soon. Costs the caller nothing but this call."""
        if not self._enabled:
            return
        self._messages.add(message)
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_all())

    async def _send_all(self) -> None:
        try:
            while self._messages:
                messages, self._messages = self._messages, set()
                await self._send(messages)
                await asyncio.sleep(_APART)
        finally:
            self._sending = None

    async def _send(self, messages: set[str]) -> None:
        try:
            async with self._pool.acquire() as conn:
                await wake(conn, messages)
        except UNREACHABLE:
            pass
