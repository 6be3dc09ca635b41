"""A rate limit: how many requests fit into a window of time."""

from __future__ import annotations

import math
from collections import deque
from typing import Literal

WindowKind = Literal["sliding", "fixed"]


class Bucket:
    """The requests of one key in one domain. Times are seconds of a clock that only goes forward."""

    def __init__(self, limit: int, window: float) -> None:
        self.limit = limit
        self._window = window
        self._let_in: deque[float] = deque()
        self._neighbour_at: float | None = None

    def let_in(self, now: float, kind: WindowKind, neighbour: float) -> bool:
        """Take a place for a request, if there is one; another program takes `neighbour` of them in each window."""
        self._neighbour_comes(now, kind, neighbour)
        return self._take(now, kind)

    @property
    def usage(self) -> int:
        """The places that are taken."""
        return len(self._let_in)

    def wait(self, now: float, kind: WindowKind) -> float:
        """Seconds until the next place."""
        if self.usage < self.limit:
            return 0.0
        opens = self._let_in[0] if kind == "sliding" else _begin(now, self._window)
        return max(0.0, opens + self._window - now)

    def _take(self, at: float, kind: WindowKind) -> bool:
        oldest = at - self._window if kind == "sliding" else _begin(at, self._window)
        while self._let_in and (self._let_in[0] < oldest or (kind == "sliding" and self._let_in[0] == oldest)):
            self._let_in.popleft()
        if self.usage >= self.limit:
            return False
        self._let_in.append(at)
        return True

    def _neighbour_comes(self, now: float, kind: WindowKind, neighbour: float) -> None:
        """What the other program has asked for since it was last looked at, evenly spread."""
        if not neighbour:
            self._neighbour_at = None
            return
        gap = self._window / neighbour
        at = now if self._neighbour_at is None else max(self._neighbour_at, now - self._window)
        while at + gap <= now:
            at += gap
            self._take(at, kind)
        self._neighbour_at = at


def _begin(at: float, window: float) -> float:
    return math.floor(at / window) * window
