"""Do several things at once, and stop in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Coroutine, Iterable
from itertools import count
from typing import Any, Final, TypeVar

from tawny.jobs import Run

T = TypeVar("T")
R = TypeVar("R")

_LOOK: Final = 0.1
"""Seconds between two looks whether the run was cancelled."""

_LAST_MOMENT: Final = 0.5


async def in_order(
    items: Iterable[T] | AsyncIterable[T], do: Callable[[T], Awaitable[R]], *, at_once: int, ahead: int, by: int
) -> AsyncGenerator[list[tuple[T, R]], None]:
    """Do this for each item, so many at once, and hand out the items and what came of them, in their order, `by` or more a time.

    While the caller keeps what it was handed, the next ones are done. Never are more than `ahead` (at least `by`) begun that it
    has not kept: one that takes long holds up nobody until then, and a crash costs no more than that. The first that raises ends
    it: what is under way is cancelled, nothing else is begun, and the exception is raised. Leave it by `contextlib.aclosing`.
    """
    source, taking, room, news = _iterated(items), asyncio.Lock(), asyncio.Semaphore(max(ahead, by)), asyncio.Event()
    done: dict[int, tuple[T, R]] = {}
    numbers = count()

    async def one_after_the_other() -> None:
        while True:
            await room.acquire()
            async with taking:
                item, number = await anext(source, _NOTHING), next(numbers)
            if isinstance(item, _Nothing):
                room.release()
                return
            done[number] = item, await do(item)
            news.set()

    tasks = [asyncio.ensure_future(one_after_the_other()) for _ in range(at_once)]
    working = asyncio.gather(*tasks)
    working.add_done_callback(lambda _: news.set())
    ready: list[tuple[T, R]] = []
    following = 0
    try:
        while True:
            news.clear()
            if over := working.done():
                working.result()
            while following in done:
                ready.append(done.pop(following))
                following += 1
            if len(ready) >= by or (over and ready):
                yield ready
                for _ in ready:
                    room.release()
                ready = []
            elif over:
                return
            else:
                await news.wait()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(working, *tasks, return_exceptions=True)


class _Nothing:
    """In place of an item when there is none left."""


_NOTHING: Final = _Nothing()


async def _iterated(items: Iterable[T] | AsyncIterable[T]) -> AsyncGenerator[T, None]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


async def unless_cancelled(run: Run, work: Coroutine[Any, Any, T]) -> T | None:
    """Do this work; None, within a moment, once somebody asked for the run to stop. The work is then interrupted.

    Whatever it must not leave half done, it does within `to_the_end`.
    """
    working = asyncio.ensure_future(work)
    try:
        while not working.done():
            await asyncio.wait({working}, timeout=_LOOK)
            if not working.done() and run.cancelled:
                return None
        return working.result()
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Do this short work to its end, also when whoever waits for it is interrupted: they are, once it is done.

    What then takes longer than half a second is interrupted as well: a transaction that waits for a lock, say.
    """
    working = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait({working}, timeout=_LAST_MOMENT)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        raise
