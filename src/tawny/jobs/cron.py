"""When something is due: a cron expression, read by the clock of a time zone. Pure.

The five fields are minute, hour, day of month, month and day of week, as Debian's cron reads them, and `L`, `LW` and `#`.
Where clocks change:

* An expression that names its minutes and its hours (`30 2 * * *`) is due once on each of its days: at a time that is skipped,
  when the clock has jumped; at one that comes twice, the first time.
* One with a star at the beginning of either (`*/15 * * * *`, `0 * * * *`) follows the clock: what is skipped is not due, and what
  comes twice is due twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import takewhile
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

FIELDS: Final = 5
_LONGEST: Final = 200
_DAY: Final = timedelta(days=1)
_MINUTE: Final = timedelta(minutes=1)
_MOMENT: Final = timedelta(seconds=1)


class CronError(ValueError):
    """What is wrong with an expression or a time zone: the end of a sentence that begins with its name."""


@dataclass(frozen=True, slots=True)
class Cron:
    """The due times of an expression in a time zone. Made by `parse_cron`. All times that go in or come out are aware."""

    expression: str
    zone: tzinfo

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The due times later than this, in UTC, from the earliest on. It ends where none comes within 50 years."""
        return self._once_a_day(moment) if self._names_its_times() else self._by_the_clock(moment)

    def next(self, moment: datetime) -> datetime | None:
        """The first due time later than this; None when there is none."""
        return next(self.after(moment), None)

    def count(self, first: datetime, before: datetime) -> tuple[int, datetime]:
        """How many due times there are from `first`, which is one, until before `before`, and the last of them.

        If by the rules of today `first` is none, there is that one at least. Whole days on which the clock does not change are
        counted and not gone through: years cost milliseconds.
        """
        sim = self._walls(first)
        a_day = len(sim.hours) * len(sim.minutes) * len(sim.seconds)
        due, last, day = 0, first, first.astimezone(self.zone).date()
        while (begins := self._midnight(day)) < before:
            ends = self._midnight(day + _DAY)
            if not sim.match_day(day) or day.month not in sim.months:
                times = 0
            elif first <= begins and ends <= before and ends - begins == _DAY:
                times, last = a_day, begins
            else:
                some = list(self._between(max(first, begins) - _MOMENT, min(ends, before)))
                times, last = len(some), some[-1] if some else last
            due, day = due + times, day + _DAY
        last_day = list(self._between(last - _MOMENT, min(last + _DAY, before)))
        return max(due, 1), last_day[-1] if last_day else last

    def _between(self, after: datetime, before: datetime) -> Iterator[datetime]:
        return takewhile(lambda due: due < before, self.after(after))

    def _midnight(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)

    def _names_its_times(self) -> bool:
        *_, minute, hour, _, _, _ = self.expression.split()
        return not minute.startswith("*") and not hour.startswith("*")

    def _once_a_day(self, moment: datetime) -> Iterator[datetime]:
        last = moment.astimezone(UTC)
        for wall in self._walls(moment):
            due = self._first(wall)
            if due > last:
                yield (last := due)

    def _first(self, wall: datetime) -> datetime:
        """The first moment at which the clock shows this, or has jumped over it."""
        while True:
            first, second = self._moments(wall)
            if first <= second:
                return first
            wall += _MINUTE

    def _by_the_clock(self, moment: datetime) -> Iterator[datetime]:
        now = moment.astimezone(UTC)
        again: deque[datetime] = deque()  # when the clock shows for the second time what it has shown
        for wall in self._walls(moment):
            first, second = self._moments(wall)
            if second < first:
                continue
            while again and again[0] < first:
                yield again.popleft()
            if first > now:
                yield first
            if second > first:
                again.append(second)
        yield from again

    def _walls(self, moment: datetime) -> CronSim:
        """What the clock shows at due times later than this, and maybe at some before it."""
        local = moment.astimezone(self.zone)
        earlier, later = local.replace(fold=0).utcoffset(), local.replace(fold=1).utcoffset()
        repeated = (earlier or timedelta()) - (later or timedelta()) if not local.fold else timedelta()
        return CronSim(self.expression, local.replace(tzinfo=None) - max(repeated, timedelta()))

    def _moments(self, wall: datetime) -> tuple[datetime, datetime]:
        """When the clock shows this: the same moment twice; two moments; the later one first where the clock jumps over it."""
        there = wall.replace(tzinfo=self.zone)
        return there.astimezone(UTC), there.replace(fold=1).astimezone(UTC)


def parse_cron(expression: str, timezone: str) -> Cron:
    """Check both and return them as one. CronError for an expression that is wrong or can never be due, or an unknown zone."""
    return Cron(_expression(expression), parse_zone(timezone))


def parse_zone(name: str) -> tzinfo:
    """The time zone of this name. UTC needs no time zone database, which small images lack."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, TypeError, OSError, LookupError):
        raise CronError(f'must be a name such as "Europe/Vienna", not {name!r}'[:_LONGEST]) from None


def _expression(text: str) -> str:
    fields = text.split() if len(text) <= _LONGEST else []
    if len(fields) != FIELDS:
        raise CronError(f'must be five fields such as "0 2 * * *", not {text[:_LONGEST]!r}')
    expression = " ".join(fields)
    try:
        never = next(CronSim(expression, datetime(2024, 1, 1)), None) is None
    except CronSimError as error:
        raise CronError(f"cannot be read: {str(error).lower()} in {expression!r}") from None
    if never:
        raise CronError(f"is never due: {expression!r}")
    return expression
