"""The thread of a worker in which messages are delivered: beside its runs, and apart from what keeps its lease."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog

from tawny.db.pool import UNREACHABLE, Pool, open_pool
from tawny.notifications import Courier
from tawny.workers.backoff import Backoff

_LAST_MESSAGES: Final = 3.0
"""Seconds that messages which are under way get to be taken when a worker stops."""

log = structlog.get_logger()


class CourierThread:
    """Delivers from `start` to `stop`. `hire` makes the courier, in the thread."""

    def __init__(self, url: str, hire: Callable[[Pool], Courier]) -> None:
        self._url = url
        self._hire = hire
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tawny-courier", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Let what is under way end, and return once nothing is. To be called from another thread, any number of times."""
        if not self._thread.is_alive():
            return
        self._ready.wait()
        if self._loop is not None and self._stopping is not None:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(2 * _LAST_MESSAGES)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        delivering = asyncio.create_task(self._deliver(self._stopping))
        await self._stopping.wait()
        await asyncio.wait([delivering], timeout=_LAST_MESSAGES + 1)
        delivering.cancel()
        await asyncio.gather(delivering, return_exceptions=True)

    async def _deliver(self, stopping: asyncio.Event) -> None:
        pool = await self._open_pool(stopping)
        if pool is None:
            return
        courier = self._hire(pool)
        running = asyncio.create_task(courier.run())
        await stopping.wait()
        await courier.finish(_LAST_MESSAGES)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        pool.terminate()

    async def _open_pool(self, stopping: asyncio.Event) -> Pool | None:
        backoff = Backoff()
        while not stopping.is_set():
            with suppress(*UNREACHABLE):
                return await open_pool(self._url, size=2, application="tawny-courier")
            await asyncio.sleep(backoff.next())
        return None
