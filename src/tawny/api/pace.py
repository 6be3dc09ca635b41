"""How fast one actor may ask for runs: a bucket for each, in the memory of this process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from math import ceil
from time import monotonic
from typing import Final
from uuid import UUID

from tawny.access import Actor
from tawny.errors import TooManyRequests

BURST_SECONDS: Final = 5
"""How many seconds' worth may come at once."""

_REMEMBERED: Final = 10_000
_ROUNDING: Final = 1e-6


class Pace:
    """Lets each key and user through `rate` times a second, and five seconds' worth at once; 0 is no limit.

    Counted by each server for itself: a count that is exact over all of them would cost a statement for each trigger.
    """

    def __init__(self, rate: int, clock: Callable[[], float] = monotonic) -> None:
        self._price = 1 / rate if rate else 0.0
        self._clock = clock
        self._paid_until: OrderedDict[UUID, float] = OrderedDict()  # the one that asked longest ago first

    def spend(self, actor: Actor) -> None:
        """Count one request; TooManyRequests, with the seconds to wait, for one too many. That is not counted."""
        if not self._price or actor.kind == "host":
            return
        now = self._clock()
        paid_until = max(self._paid_until.pop(actor.id, now), now)
        ahead = paid_until + self._price - now
        too_fast = ahead > BURST_SECONDS + _ROUNDING
        self._paid_until[actor.id] = paid_until if too_fast else paid_until + self._price
        while len(self._paid_until) > _REMEMBERED:
            self._paid_until.popitem(last=False)
        if too_fast:
            raise TooManyRequests(
                f"This credential asks for runs faster than {1 / self._price:.0f} a second; wait a moment and try again.",
                retry_after=max(1, ceil(ahead - BURST_SECONDS)),
            )
