"""Things that are done at once come out in their order, none is lost, and no more than so many are under way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tawny.integrations import in_order


class Desk:
    """Does things when it is told to, and knows what is under way."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.under_way = 0
        self.most_under_way = 0
        self._ends: dict[int, asyncio.Future[None]] = {}

    async def do(self, item: int) -> str:
        self.begun.append(item)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self._end_of(item)
        finally:
            self.under_way -= 1
        return str(item)

    def end(self, *items: int, error: Exception | None = None) -> None:
        for item in items:
            if error is None:
                self._end_of(item).set_result(None)
            else:
                self._end_of(item).set_exception(error)

    def _end_of(self, item: int) -> asyncio.Future[None]:
        return self._ends.setdefault(item, asyncio.get_running_loop().create_future())


async def settle() -> None:
    """Let everybody who can go on do so."""
    for _ in range(100):
        await asyncio.sleep(0)


async def test_they_come_out_in_their_order_whichever_is_done_first() -> None:
    desk = Desk()
    desk.end(3, 2, 1, 0)
    async with aclosing(in_order(range(4), desk.do, at_once=4, ahead=4, by=1)) as outcomes:
        assert [one async for some in outcomes for one in some] == [(0, "0"), (1, "1"), (2, "2"), (3, "3")]


async def test_while_some_are_kept_the_next_are_done() -> None:
    desk = Desk()
    desk.end(0, 1)
    async with aclosing(in_order(range(10), desk.do, at_once=2, ahead=6, by=2)) as outcomes:
        assert await anext(outcomes) == [(0, "0"), (1, "1")]
        await settle()
        assert desk.begun == [0, 1, 2, 3]
        desk.end(2, 3)
        await settle()
        assert desk.begun == [0, 1, 2, 3, 4, 5]
        desk.end(4, 5)
        await settle()
        assert desk.begun == [0, 1, 2, 3, 4, 5], "six are begun that were not kept"
        assert await anext(outcomes) == [(item, str(item)) for item in (2, 3, 4, 5)]


async def test_one_that_takes_long_holds_up_nobody_until_so_many_are_ahead_of_it() -> None:
    desk = Desk()
    desk.end(*range(1, 30))
    async with aclosing(in_order(range(30), desk.do, at_once=3, ahead=12, by=5)) as outcomes:
        first = asyncio.ensure_future(anext(outcomes))
        await settle()
        assert desk.begun == list(range(12))
        assert not first.done()
        desk.end(0)
        assert await first == [(item, str(item)) for item in range(12)]


async def test_the_first_that_raises_ends_it_and_what_is_under_way() -> None:
    desk = Desk()
    async with aclosing(in_order(range(10), desk.do, at_once=3, ahead=10, by=1)) as outcomes:
        waiting = asyncio.ensure_future(anext(outcomes))
        await settle()
        desk.end(1, error=ValueError("no"))
        with pytest.raises(ValueError, match="no"):
            await waiting
    assert (desk.begun, desk.under_way) == ([0, 1, 2], 0)


async def test_who_leaves_early_leaves_nothing_under_way() -> None:
    desk = Desk()
    desk.end(0)
    async with aclosing(in_order(range(10), desk.do, at_once=3, ahead=10, by=1)) as outcomes:
        async for _ in outcomes:
            await settle()
            assert desk.under_way == 3
            break
    assert desk.under_way == 0


async def test_what_goes_wrong_with_the_items_is_raised() -> None:
    async def items() -> AsyncIterator[int]:
        yield 0
        raise OSError("no database")

    desk = Desk()
    desk.end(0)
    outcomes = in_order(items(), desk.do, at_once=2, ahead=10, by=10)
    with pytest.raises(OSError, match="no database"):
        await anext(outcomes)


@given(st.integers(0, 40), st.integers(1, 9), st.integers(1, 20), st.integers(1, 12), st.lists(st.integers(0, 3), min_size=40))
async def test_nobody_is_lost_or_comes_twice(count: int, at_once: int, ahead: int, by: int, takes: list[int]) -> None:
    begun = kept = most = 0

    async def do(item: int) -> int:
        nonlocal begun, most
        begun += 1
        most = max(most, begun - kept)
        for _ in range(takes[item]):
            await asyncio.sleep(0)
        return -item

    found: list[tuple[int, int]] = []
    async for some in in_order(range(count), do, at_once=at_once, ahead=ahead, by=by):
        assert len(some) >= by or len(found) + len(some) == count
        await asyncio.sleep(0)
        found += some
        kept = len(found)
    assert found == [(item, -item) for item in range(count)]
    assert most <= max(ahead, by)
