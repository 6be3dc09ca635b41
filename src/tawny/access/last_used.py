"""When keys were last used, written behind the requests and never on their way."""

from __future__ import annotations

import asyncio
from uuid import UUID

from tawny.access.statements import queries
from tawny.db.pool import UNREACHABLE, Connection, Pool


class LastUsed:
    """Collects the keys that were used, and writes them down together: at most once a minute for each, in one statement."""

    def __init__(self) -> None:
        self._used: set[UUID] = set()
        self._any = asyncio.Event()

    def note(self, key_id: UUID) -> None:
        """Remember that this key was used just now."""
        self._used.add(key_id)
        self._any.set()

    async def flush(self, conn: Connection) -> None:
        """Write down the keys used since the last flush; when that fails, they are kept for the next one."""
        used, self._used = self._used, set()
        self._any.clear()
        try:
            if used:
                await queries.note_keys_used(conn, key_ids=list(used))
        except BaseException:
            self._used |= used
            self._any.set()
            raise

    async def run(self, pool: Pool, pause: float = 5.0) -> None:
        """Flush soon after a key was used, and then at most once in `pause` seconds, until cancelled.

        A database that is away costs nothing but the delay.
        """
        while True:
            await self._any.wait()
            try:
                async with pool.acquire() as conn:
                    await self.flush(conn)
            except UNREACHABLE:
                pass  # the requests themselves report it; these keys wait for the next turn
            await asyncio.sleep(pause)
