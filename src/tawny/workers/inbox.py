"""How other threads hand things to a loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """Things put in by any thread, handed to `receive` on the loop in order, many with one wake-up of it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, receive: Callable[[list[T]], None]) -> None:
        self._loop = loop
        self._receive = receive
        self._things: deque[T] = deque()
        self._rung = False

    def put(self, thing: T) -> None:
        self._things.append(thing)
        if not self._rung:
            self._rung = True
            self._ring()

    def _ring(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._empty)
        except RuntimeError:  # the loop is closed: this worker is on its way out and nothing more can be done for it
            self._rung = False

    def _empty(self) -> None:
        # The bell first: what is put in from here on rings again, and nothing is left lying.
        self._rung = False
        things = []
        while self._things:
            things.append(self._things.popleft())
        if things:
            self._receive(things)
