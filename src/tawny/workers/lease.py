"""Until when this worker may act, by its own clock."""

from __future__ import annotations

import time
from typing import Final
from uuid import UUID

_USABLE: Final = 3 / 4
"""Of a lease, counted from the sending of its renewal. The rest is for clocks that differ and replies that travel."""

# Goes on while the machine sleeps, unlike the monotonic clock, and is never set, unlike the time of day.
_CLOCK: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> float:
    """Seconds on the clock that leases are measured with."""
    return time.clock_gettime(_CLOCK)


class Lease:
    """The lease of one worker id. It is renewed by one thread and looked at by all."""

    __slots__ = ("claimed", "deadline", "seconds", "worker_id")

    def __init__(self, worker_id: UUID, seconds: float, sent_at: float) -> None:
        self.worker_id = worker_id
        self.seconds = seconds
        self.claimed = 0
        """Runs claimed under it, as far as this worker knows."""
        self.renewed(sent_at)

    def renewed(self, sent_at: float) -> None:
        """Count from when the accepted renewal was *sent*: the database's own count began later."""
        self.deadline = sent_at + self.seconds * _USABLE

    def end(self) -> None:
        """Let nobody act under this lease any more."""
        self.deadline = 0.0

    @property
    def over(self) -> bool:
        return now() >= self.deadline
