"""A transaction on Tawny's database, in a handler's hands."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tawny.jobs.done import DONE
from tawny.jobs.outcome import encode_state

if TYPE_CHECKING:
    from asyncpg import Connection, Record
    from asyncpg.pool import PoolConnectionProxy


class Transaction:
    """What `async with run.transaction() as tx:` gives: asyncpg's calls, and a checkpoint that commits with them.

    All of it is committed when the block ends, if this attempt still has the run and no more than 10 seconds have passed; none of
    it otherwise.
    """

    def __init__(self, connection: Connection[Any] | PoolConnectionProxy[Any]) -> None:
        self.connection = connection
        """The asyncpg connection itself, for whatever is not here (`copy_records_to_table`, `cursor`)."""
        self.state: str | None = None
        """The JSON text of the checkpoint that will be committed; None without one."""

    async def execute(self, query: str, *args: object) -> str:
        return await self.connection.execute(query, *args)

    async def executemany(self, query: str, args: Iterable[Sequence[object]]) -> None:
        await self.connection.executemany(query, args)

    async def fetch(self, query: str, *args: object) -> list[Record]:
        return await self.connection.fetch(query, *args)

    async def fetchrow(self, query: str, *args: object) -> Record | None:
        return await self.connection.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: object) -> Any:
        return await self.connection.fetchval(query, *args)

    def checkpoint(self, state: object) -> Awaitable[None]:
        """Save where a later attempt should go on, in this transaction. The last one counts. May be awaited, need not be.

        `state` is any JSON value up to 1 MiB, taken as it is now; ValueError otherwise.
        """
        self.state = encode_state(state)
        return DONE
