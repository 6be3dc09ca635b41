"""Do several things at once, and stop in time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

from tawny.jobs import Run

T = TypeVar("T")
R = TypeVar("R")

_LOOK: Final = 0.1
"""Seconds between two looks whether the run was cancelled."""

_LAST_MOMENT: Final = 0.5


async def each(items: Sequence[T], do: Callable[[T], Awaitable[R]], *, at_once: int) -> list[R]:
    """Do this for each item, so many at once, and return what came of it, in their order.

    The first that raises ends it: what is under way is cancelled, nothing else is begun, and the exception is raised.
    """
    results: dict[int, R] = {}
    waiting = iter(range(len(items)))

    async def one_after_the_other() -> None:
        for index in waiting:
            results[index] = await do(items[index])

    tasks = [asyncio.ensure_future(one_after_the_other()) for _ in range(min(at_once, len(items)))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return [results[index] for index in range(len(items))]


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
