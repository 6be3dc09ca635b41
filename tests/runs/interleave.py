"""Every order in which the statements of some transactions can come, tried on real connections.

Each player stops before each of its statements until it is let go. Who goes next is chosen in all possible ways, one merge after
the other, each on a stage that is set anew. That a statement waits for a lock is what PostgreSQL says (`pg_blocking_pids`); the
others go on meanwhile, and it goes on when they have made way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import asyncpg
from tests.waiting import PATIENCE

from tawny.db.pool import Connection
from tawny.errors import TawnyError
from tawny.runs.statements import queries
from tawny.schedules.statements import queries as ticking

Verb = Callable[[Any], Awaitable[object]]
Answers = Mapping[str, Any]
"""What each player's verb returned, or the error that it raised."""

REFUSALS = (TawnyError, asyncpg.PostgresError)

MOST = 400
"""Merges of one stage; with more, its players have too many statements for a test of every order."""

_NAMES = {query.sql: name for name, query in (queries.all | ticking.all).items()}
_MOMENT = 0.002  # between two looks at who waits; no verdict depends on it


@dataclass(frozen=True, slots=True)
class Part:
    """A verb to be called inside a transaction of its own; otherwise each of its statements commits by itself."""

    verb: Verb
    transaction: bool = True


@dataclass(frozen=True, slots=True)
class Stage:
    """Who plays, and what has to be true of their answers and the database when all are through."""

    parts: Mapping[str, Part]
    check: Callable[[Answers], Awaitable[None]]


class Player:
    """One part on one connection."""

    def __init__(self, name: str, part: Part, conn: asyncpg.Connection, moved: asyncio.Event) -> None:
        self.name = name
        self.conn = conn
        self.statement = "nothing yet"
        self.answer: object = None
        self.failed = ""
        """What the database said that no verb may meet: all but that a unique key is taken, or that a lock is, where the verb has
        said that it does not wait."""
        self.through = False
        self.still = False
        """It stands before its next statement, or is through."""
        self._part = part
        self._go = asyncio.Event()
        self._moved = moved

    @property
    def ready(self) -> bool:
        return self.still and not self.through

    def let_go(self) -> None:
        self.still = False
        self._go.set()

    async def turn(self, sql: str, call: Callable[..., Awaitable[Any]], *values: object) -> Any:
        self._stand_still()
        await self._go.wait()
        self._go.clear()
        self.statement = _NAMES.get(sql, sql)
        try:
            return await call(sql, *values)
        except asyncpg.PostgresError as error:
            if not isinstance(error, asyncpg.UniqueViolationError | asyncpg.LockNotAvailableError):
                self.failed = f"{type(error).__name__} of {self.name} in {self.statement}"
            raise

    async def perform(self) -> None:
        try:
            self.answer = await self._act(Turns(self))
        except REFUSALS as error:
            self.answer = error
        finally:
            self.through = True
            self._stand_still()

    async def _act(self, turns: Turns) -> object:
        if not self._part.transaction:
            return await self._part.verb(turns)
        # No turn of its own: it takes no snapshot and no lock, so when it comes makes no difference.
        await self.conn.execute("begin")
        try:
            answer = await self._part.verb(turns)
        except REFUSALS:
            await turns.execute("rollback")
            raise
        await turns.execute("commit")
        return answer

    def _stand_still(self) -> None:
        self.still = True
        self._moved.set()


class Turns:
    """A connection on which each statement waits for its turn."""

    def __init__(self, player: Player) -> None:
        self._player = player

    async def fetch(self, sql: str, *values: object) -> Any:
        return await self._player.turn(sql, self._player.conn.fetch, *values)

    async def fetchrow(self, sql: str, *values: object) -> Any:
        return await self._player.turn(sql, self._player.conn.fetchrow, *values)

    async def fetchval(self, sql: str, *values: object) -> Any:
        return await self._player.turn(sql, self._player.conn.fetchval, *values)

    async def execute(self, sql: str, *values: object) -> Any:
        return await self._player.turn(sql, self._player.conn.execute, *values)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """One inside another. It has no turn of its own either."""
        conn = self._player.conn
        await conn.execute("savepoint inner_one")
        try:
            yield
        except REFUSALS:
            await conn.execute("rollback to savepoint inner_one")
            raise
        await conn.execute("release savepoint inner_one")


class Play:
    """One merge: follows `choices` at the forks it comes to, and from there on always takes the first way."""

    def __init__(
        self, parts: Mapping[str, Part], conns: Sequence[asyncpg.Connection], watcher: Connection, choices: Sequence[int]
    ) -> None:
        self._moved = asyncio.Event()
        self._players = [Player(*part, conn, self._moved) for part, conn in zip(parts.items(), conns, strict=False)]
        self._watcher = watcher
        self._choices = choices
        self.forks: list[tuple[int, int]] = []
        """At each fork, which way was taken and of how many."""
        self.order: list[str] = []

    async def run(self) -> Answers:
        tasks = [asyncio.create_task(player.perform()) for player in self._players]
        try:
            async with asyncio.timeout(PATIENCE):
                await self._settle()
                while ready := [player for player in self._players if player.ready]:
                    await self._step(ready)
                await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return {player.name: player.answer for player in self._players}

    async def _step(self, ready: list[Player]) -> None:
        fork = len(self.forks)
        choice = self._choices[fork] if fork < len(self._choices) else 0
        self.forks.append((choice, len(ready)))
        player = ready[choice]
        player.let_go()
        await self._settle()
        self.order.append(f"{player.name}: {player.statement}" + ("" if player.still else " (waits)"))
        self._fail_on_errors()

    async def _settle(self) -> None:
        """Return once everyone stands still or waits for somebody who does.

        While nobody stands still, nobody can make way: then PostgreSQL's detector of deadlocks is the one to move.
        """
        while moving := self._moving():
            self._moved.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_MOMENT):
                    await self._moved.wait()
            if moving == self._moving() and any(player.ready for player in self._players) and await self._all_wait(moving):
                return

    def _moving(self) -> list[Player]:
        return [player for player in self._players if not player.still]

    async def _all_wait(self, moving: list[Player]) -> bool:
        pids = [player.conn.get_server_pid() for player in moving]
        waiting = "select bool_and(cardinality(pg_blocking_pids(pid)) > 0) from unnest($1::integer[]) as pid"
        return bool(await self._watcher.fetchval(waiting, pids))

    def _fail_on_errors(self) -> None:
        for player in self._players:
            others = " and ".join(f"{other.name} in {other.statement}" for other in self._players if other is not player)
            assert not player.failed, f"{player.failed}, beside {others}"


def following(forks: list[tuple[int, int]]) -> list[int] | None:
    """The choices of the next merge, after one that took these ways; None when there are no others left."""
    while forks and forks[-1][0] == forks[-1][1] - 1:
        forks = forks[:-1]
    return [choice for choice, _ in forks[:-1]] + [forks[-1][0] + 1] if forks else None


async def play_all(
    set_stage: Callable[[], Awaitable[Stage]],
    laws: Callable[[], Awaitable[None]],
    conns: Sequence[asyncpg.Connection],
    watcher: Connection,
) -> int:
    """Play every merge, check the laws and the stage's own check after each, and return how many there were."""
    choices: list[int] | None = []
    count = 0
    while choices is not None:
        stage = await set_stage()
        play = Play(stage.parts, conns, watcher, choices)
        try:
            answers = await play.run()
            await laws()
            await stage.check(answers)
        except BaseException as error:
            error.add_note("in this merge: " + " · ".join(play.order))
            raise
        choices, count = following(play.forks), count + 1
        assert count <= MOST, f"more than {MOST} merges"
    return count
