"""How often another service is called: evenly, and no oftener than it allows, by all processes together.

Turns are reserved in the database, about half a second's worth at a time, and handed out here one by one. A process is never
further ahead than that, so that nobody waits for turns that somebody else has let go by.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from time import monotonic
from typing import Final

from tawny.db.pool import Connection
from tawny.integrations.statements import queries
from tawny.jobs import Run

AHEAD: Final = 0.5
"""Seconds of turns that are reserved at once, and how late a turn may still be taken."""

LONGEST_PAUSE: Final = 60.0
"""Seconds that doubling may make of a pause."""

_MOST_DOUBLINGS: Final = 10

Opens = Callable[[], AbstractAsyncContextManager[Connection]]
"""Opens a transaction on Tawny's database, for a statement or two."""


def within(run: Run) -> Opens:
    """Transactions of this run, for its turns: they end with it."""

    @asynccontextmanager
    async def opens() -> AsyncIterator[Connection]:
        async with run.transaction() as tx:
            yield tx.connection

    return opens


class Pace:
    """One allowance of one service: of a key, say, for one kind of call. To be shared by all who spend it in this process.

    There is no burst: from the first one on, turns are `60 / per_minute` seconds apart. 0 is no limit.
    """

    def __init__(
        self,
        subject: str,
        per_minute: float,
        *,
        clock: Callable[[], float] = monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """`subject`: by what name all processes know it. The clocks of processes need not agree."""
        self._subject = f"pace:{subject}"
        self._interval = 60 / per_minute if per_minute else 0.0
        self._at_once = max(1, int(AHEAD / self._interval)) if per_minute else 0
        self._turns = deque[float]()
        self._not_before = 0.0
        self._refusals = 0
        self._refused_at = float("-inf")
        self._one_by_one = asyncio.Lock()
        self._clock = clock
        self._sleep = sleep

    async def turn(self, opens: Opens) -> float:
        """Return when a call may be made, which is now. Those who wait are served in order; to be cancelled costs a turn."""
        async with self._one_by_one:
            while True:
                await self._wait_until(self._not_before)
                if self._interval:
                    await self._wait_until(await self._next_turn(opens))
                if self._not_before <= self._clock():
                    return self._clock()

    async def refused(self, opens: Opens, seconds: float, called_at: float) -> float:
        """The service refuses a call of this turn, and any for so many seconds. Nobody calls until then; return how long that is.

        Each refusal of a call that was made after the one before doubles it: somebody else may spend this allowance too.
        """
        if called_at > self._refused_at:
            self._refusals = min(self._refusals + 1, _MOST_DOUBLINGS)
        self._refused_at = self._clock()
        pause = min(seconds * 2.0 ** max(0, self._refusals - 1), max(seconds, LONGEST_PAUSE))
        self._not_before = max(self._not_before, self._refused_at + pause)
        self._turns.clear()
        async with opens() as conn:
            await queries.hold_off(conn, subject=self._subject, seconds=pause)
        return pause

    def granted(self) -> None:
        """A call was answered otherwise."""
        self._refusals = 0

    async def _next_turn(self, opens: Opens) -> float:
        """The next ones are reserved while one is still to come, so that the way to the database costs no turn."""
        while True:
            while self._turns and self._turns[0] < self._clock() - AHEAD:
                self._turns.popleft()
            if len(self._turns) >= min(2, self._at_once):
                return self._turns.popleft()
            await self._reserve(opens)

    async def _reserve(self, opens: Opens) -> None:
        async with opens() as conn:
            row = await queries.reserve_turns(conn, subject=self._subject, seconds=self._interval * self._at_once)
        # Counted from after the answer, so that a turn is rather too late than too early.
        first = self._clock() + float(row["wait"])
        self._turns.extend(first + turn * self._interval for turn in range(self._at_once))

    async def _wait_until(self, at: float) -> None:
        while (left := at - self._clock()) > 0:
            await self._sleep(left)
