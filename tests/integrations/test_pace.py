"""Turns come evenly, to all who share an allowance, in whatever process they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import pairwise
from time import monotonic

import pytest

from tawny.db.pool import Connection, Pool
from tawny.integrations.pace import AHEAD, Pace


class Clock:
    """Time that passes only while somebody sleeps, here and in the database."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


class Ledger:
    """The row that all processes share, as the two statements change it."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.paid_until = 0.0
        self.asked = 0
        self.takes = 0.0

    @asynccontextmanager
    async def opens(self) -> AsyncIterator[Ledger]:
        yield self

    async def fetchrow(self, _: str, subject: str, seconds: float) -> dict[str, float]:
        assert subject == "pace:x"
        self.asked += 1
        self.clock.now += self.takes
        wait = max(0.0, self.paid_until - self.clock.now)
        self.paid_until = max(self.paid_until, self.clock.now) + seconds
        return {"wait": wait}

    async def execute(self, _: str, subject: str, seconds: float) -> None:
        self.paid_until = max(self.paid_until, self.clock.now + seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(clock: Clock) -> Ledger:
    return Ledger(clock)


def pace(clock: Clock, per_minute: float = 60) -> Pace:
    return Pace("x", per_minute, clock=clock, sleep=clock.sleep)


async def turns(pace: Pace, ledger: Ledger, count: int) -> list[float]:
    return [await pace.turn(ledger.opens) for _ in range(count)]  # type: ignore[arg-type]


async def test_turns_are_even_from_the_first_one_on(clock: Clock, ledger: Ledger) -> None:
    times = await turns(pace(clock, 468), ledger, 100)
    assert [round(later - earlier, 6) for earlier, later in pairwise(times)] == [round(60 / 468, 6)] * 99


async def test_no_minute_has_more_than_the_rate(clock: Clock, ledger: Ledger) -> None:
    times = await turns(pace(clock, 468), ledger, 2_000)
    for time in times:
        assert sum(time <= other < time + 60 for other in times) <= 468


async def test_turns_are_reserved_half_a_second_ahead(clock: Clock, ledger: Ledger) -> None:
    await turns(pace(clock, 480), ledger, 40)
    assert ledger.asked == 11
    assert ledger.paid_until - clock.now <= AHEAD + 1 / 8


async def test_the_next_turns_are_reserved_while_the_last_is_still_to_come(clock: Clock, ledger: Ledger) -> None:
    """A database that is far away costs no turn."""
    ledger.takes = 0.1
    times = await turns(pace(clock, 480), ledger, 40)
    assert times[-1] - times[0] == pytest.approx(39 / 8)


async def test_who_was_idle_gets_no_burst_for_it(clock: Clock, ledger: Ledger) -> None:
    mine = pace(clock, 480)
    await turns(mine, ledger, 1)
    clock.now += 600
    times = await turns(mine, ledger, 9)
    assert times[-1] - times[0] == pytest.approx(1.0)


async def test_processes_share_one_allowance(clock: Clock, ledger: Ledger) -> None:
    one, two = pace(clock, 480), pace(clock, 480)
    times = sorted([time for _ in range(40) for time in (await turns(one, ledger, 4) + await turns(two, ledger, 4))])
    assert times[-1] - times[0] >= (len(times) - 1) / 8 - AHEAD


async def test_who_waits_is_served_in_order(clock: Clock, ledger: Ledger) -> None:
    mine, order = pace(clock), list[int]()

    async def one(number: int) -> None:
        await mine.turn(ledger.opens)  # type: ignore[arg-type]
        order.append(number)

    await asyncio.gather(*map(one, range(10)))
    assert order == list(range(10))


async def test_a_refusal_stops_everybody(clock: Clock, ledger: Ledger) -> None:
    mine, other = pace(clock, 480), pace(clock, 480)
    at = (await turns(mine, ledger, 1))[0]
    paused = await mine.refused(ledger.opens, 30, at)  # type: ignore[arg-type]
    assert paused == 30
    assert (await turns(mine, ledger, 1))[0] >= at + 30
    clock.now = at + 1
    assert (await turns(other, ledger, 1))[0] >= at + 30


async def test_a_refusal_after_a_refusal_waits_longer_and_one_of_the_same_moment_does_not(clock: Clock, ledger: Ledger) -> None:
    mine = pace(clock, 480)
    first, second = await turns(mine, ledger, 2)
    assert await mine.refused(ledger.opens, 1, first) == 1  # type: ignore[arg-type]
    assert await mine.refused(ledger.opens, 1, second) == 1  # type: ignore[arg-type]
    for expected in (2, 4, 8, 16, 32, 60, 60):
        assert await mine.refused(ledger.opens, 1, (await turns(mine, ledger, 1))[0]) == expected  # type: ignore[arg-type]
    mine.granted()
    assert await mine.refused(ledger.opens, 1, (await turns(mine, ledger, 1))[0]) == 1  # type: ignore[arg-type]


async def test_without_a_rate_only_refusals_are_waited_for(clock: Clock, ledger: Ledger) -> None:
    mine = pace(clock, 0)
    assert await turns(mine, ledger, 3) == [clock.now] * 3
    await mine.refused(ledger.opens, 5, clock.now)  # type: ignore[arg-type]
    assert (await turns(mine, ledger, 1))[0] == 1_005


Opens = Callable[[], AbstractAsyncContextManager[Connection]]


@pytest.mark.slow
async def test_the_row_in_the_database_does_the_same(pool: Pool) -> None:
    opens: Opens = pool.transaction
    one, two = Pace("key", 6_000), Pace("key", 6_000)
    times = await asyncio.gather(*(each.turn(opens) for each in (one, two) for _ in range(100)))
    # 200 turns of 10 ms, of which each process may leave half a second unused.
    assert max(times) - min(times) >= 1.9
    await one.refused(opens, 0.3, times[0])
    refused = max(times)
    assert await Pace("key", 6_000).turn(opens) - refused >= 0.25
    now = monotonic()
    assert await Pace("other key", 6_000).turn(opens) - now < 1
