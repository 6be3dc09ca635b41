"""When keys and sessions were last used, written behind the requests and never on their way."""

from __future__ import annotations

import asyncio
from typing import Literal
from uuid import UUID

from tawny.access.actor import Actor
from tawny.access.statements import queries
from tawny.db.pool import UNREACHABLE, Connection, Pool

Kind = Literal["key", "session"]


class LastUsed:
    """Collects those that were used, and writes them down together: at most once a minute for each, in a statement per kind."""

    def __init__(self) -> None:
        self._used: set[tuple[Kind, UUID]] = set()
        self._any = asyncio.Event()

    def note(self, actor: Actor) -> None:
        """Remember that this actor's key or session was used just now."""
        if actor.kind == "api_key":
            self._used.add(("key", actor.id))
        elif actor.session_id is not None:
            self._used.add(("session", actor.session_id))
        self._any.set()

    async def flush(self, conn: Connection) -> None:
        """Write down what was used since the last flush; when that fails, it is kept for the next one."""
        used, self._used = self._used, set()
        self._any.clear()
        try:
            if keys := [key_id for kind, key_id in used if kind == "key"]:
                await queries.note_keys_used(conn, key_ids=keys)
            if sessions := [session_id for kind, session_id in used if kind == "session"]:
                await queries.note_sessions_used(conn, session_ids=sessions)
        except BaseException:
            self._used |= used
            self._any.set()
            raise

    async def run(self, pool: Pool, pause: float = 5.0) -> None:
        """Flush soon after one was used, and then at most once in `pause` seconds, until cancelled.

        A database that is away costs nothing but the delay.
        """
        while True:
            await self._any.wait()
            try:
                async with pool.acquire() as conn:
                    await self.flush(conn)
            except UNREACHABLE:
                pass  # the requests themselves report it; these wait for the next turn
            await asyncio.sleep(pause)
