"""When RevenueCat is away for everybody: wait and see, in place of one error after the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from tawny.integrations.service import CallFailed, Unanswered

T = TypeVar("T")

IN_A_ROW: Final = 20
"""So many subscribers for whom there was no answer, one after the other, are an outage."""


class Away(Exception):
    """There is an outage. `last` is what came of the last call."""

    def __init__(self, last: Unanswered) -> None:
        super().__init__(last.message)
        self.last = last


@dataclass(slots=True)
class Outage:
    """Notices one, and rides it out: `pauses` are the seconds before each look whether it is over."""

    pauses: tuple[float, ...]
    sleep: Callable[[float], Awaitable[object]]
    _in_a_row: int = 0

    @property
    def suspected(self) -> bool:
        """Whether there was no answer for whoever was asked for last: it may be the beginning of one."""
        return self._in_a_row > 0

    def note(self, failure: CallFailed | None) -> None:
        """There was an answer for a subscriber, be it a failure, or there was none. Away once there were too many of those."""
        if not isinstance(failure, Unanswered):
            self._in_a_row = 0
            return
        self._in_a_row += 1
        if self._in_a_row >= IN_A_ROW:
            raise Away(failure)

    async def ride_out(self, probe: Callable[[], Awaitable[T]]) -> T:
        """Ask this after each pause until there is an answer; the last Unanswered when there never is."""
        for pause in self.pauses[:-1]:
            await self.sleep(pause)
            try:
                return await self._asked(probe)
            except Unanswered:
                continue
        await self.sleep(self.pauses[-1])
        return await self._asked(probe)

    async def patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask now, and if there is no answer ride it out: for what a sync cannot do without."""
        try:
            return await self._asked(ask)
        except Unanswered:
            return await self.ride_out(ask)

    async def _asked(self, ask: Callable[[], Awaitable[T]]) -> T:
        answer = await ask()
        self._in_a_row = 0
        return answer
