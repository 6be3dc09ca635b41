"""Cron expressions, against an oracle that goes through every minute and looks at the clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tawny.jobs.cron import CronError, parse_cron

MINUTE = timedelta(minutes=1)
ZONES = (
    "Europe/Vienna",
    "Europe/London",
    "America/New_York",
    "America/Santiago",
    "America/Havana",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
)
"""With changes by an hour and by half of one, at night and at midnight, at the quarter, and for Ramadan."""

EXPRESSIONS = (
    "30 2 * * *",
    "0 0 * * *",
    "15 1-3 * * *",
    "0,30 0-4 * * *",
    "59 23 * * *",
    "45 2,3 * * 0",
    "0 * * * *",
    "*/20 * * * *",
    "*/10 2 * * *",
    "5 */2 * * *",
    "* 1 * * *",
)


def changes(zone: ZoneInfo) -> list[datetime]:
    """The moments from 2024 to 2035 at which the clock of the zone changes: all of them are at whole quarters."""
    moment, found, quarter = datetime(2024, 1, 1, tzinfo=UTC), [], timedelta(minutes=15)
    while moment.year < 2036:
        if moment.astimezone(zone).utcoffset() != (moment + timedelta(hours=6)).astimezone(zone).utcoffset():
            at = moment
            while at.astimezone(zone).utcoffset() == moment.astimezone(zone).utcoffset():
                at += quarter
            found.append(at)
        moment += timedelta(hours=6)
    return found


def field(text: str, least: int, most: int) -> set[int]:
    """The values that a field of a cron expression names, as far as these tests write any."""
    values: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        begin, end = (least, most) if span == "*" else (int(first), int(last or first))
        values |= set(range(begin, end + 1, int(step or 1)))
    return values


class Oracle:
    """What is due by the rules, minute by minute, with nothing of Tawny's."""

    def __init__(self, expression: str, zone: ZoneInfo) -> None:
        minute, hour, *_, weekday = expression.split()
        self._times = {(h, m) for h in field(hour, 0, 23) for m in field(minute, 0, 59)}
        self._days = field(weekday, 0, 7)
        self._daily = not minute.startswith("*") and not hour.startswith("*")
        self._zone = zone

    def between(self, begin: datetime, end: datetime) -> Iterator[datetime]:
        before = (begin - MINUTE).astimezone(self._zone)
        while begin < end:
            local = begin.astimezone(self._zone)
            if self._is_due(before, local):
                yield begin
            before, begin = local, begin + MINUTE

    def _is_due(self, before: datetime, local: datetime) -> bool:
        wall = local.replace(tzinfo=None)
        if not self._daily:
            return self._matches(wall)
        shown_before = local.fold == 1
        skipped = self._skipped(before.replace(tzinfo=None), wall)
        return (self._matches(wall) and not shown_before) or any(map(self._matches, skipped))

    def _skipped(self, before: datetime, wall: datetime) -> Iterator[datetime]:
        before += MINUTE
        while before < wall:
            yield before
            before += MINUTE

    def _matches(self, wall: datetime) -> bool:
        return (wall.hour, wall.minute) in self._times and wall.isoweekday() % 7 in self._days


@pytest.mark.slow
@pytest.mark.parametrize("name", ZONES)
def test_around_every_change_of_the_clock_it_is_due_when_the_oracle_says(name: str) -> None:
    zone = ZoneInfo(name)
    found = changes(zone)
    assert found
    for change in found:
        begin, end = change - timedelta(hours=3), change + timedelta(hours=4)
        for expression in EXPRESSIONS:
            due = takewhile(lambda at, end=end: at < end, parse_cron(expression, name).after(begin - MINUTE))
            assert list(due) == list(Oracle(expression, zone).between(begin, end)), (expression, change)


@pytest.mark.parametrize("name", ["Europe/Vienna", "Australia/Lord_Howe", "America/Havana"])
def test_from_wherever_one_asks_the_same_times_are_due(name: str) -> None:
    """The next due time is the first of the rest, also where the clock shows a time twice or not at all."""
    for change in changes(ZoneInfo(name))[:2]:
        begin, end = change - timedelta(hours=3), change + timedelta(hours=4)
        for expression in EXPRESSIONS:
            cron = parse_cron(expression, name)
            due = list(takewhile(lambda at, end=end: at < end, cron.after(begin)))
            asked = [begin + timedelta(minutes=7 * step, seconds=step % 3) for step in range(50)]
            for moment in asked:
                later = [at for at in due if at > moment]
                assert list(islice(cron.after(moment), len(later))) == later, (expression, moment)


@given(
    st.sampled_from(ZONES),
    st.sampled_from((*EXPRESSIONS, "10 4 1 * *", "*/30 6 * 3,10 0")),
    st.datetimes(datetime(2024, 1, 1), datetime(2026, 1, 1), timezones=st.just(UTC)),
    st.timedeltas(timedelta(minutes=1), timedelta(days=20)),
)
def test_due_times_are_counted_as_if_one_went_through_them(
    name: str, expression: str, begin: datetime, length: timedelta
) -> None:
    cron = parse_cron(expression, name)
    first = cron.next(begin)
    assert first
    due = list(takewhile(lambda at: at < first + length, cron.after(begin)))
    assert cron.count(first, first + length) == (len(due), due[-1])


def test_what_is_no_due_time_any_more_is_counted_as_one() -> None:
    """The rules of a time zone have changed since it was reckoned."""
    odd = datetime(2026, 3, 1, 12, 7, tzinfo=UTC)
    assert parse_cron("0 12 * * *", "UTC").count(odd, odd + timedelta(hours=1)) == (1, odd)
    assert parse_cron("0 12 * * *", "UTC").count(odd, odd + timedelta(days=2)) == (2, odd + timedelta(days=2, minutes=-7))


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("* * * *", "must be five fields"),
        ("60 * * * *", "cannot be read: bad minute"),
        ("0 0 31 2 *", "bad day-of-month"),
        ("@reboot", "must be five fields"),
        ("0 0 * * * *", "must be five fields"),
        ("", "must be five fields"),
        ("* " * 500, "must be five fields"),
        ("٣ 0 * * *", "bad minute"),
        ("*/0 * * * *", "bad minute"),
        ("0 0 L 2 * ; drop", "must be five fields"),
    ],
)
def test_what_is_no_expression_or_never_due_is_refused(expression: str, says: str) -> None:
    with pytest.raises(CronError, match=says):
        parse_cron(expression, "UTC")


@pytest.mark.parametrize("zone", ["Mars/X", "../etc", "", "\0", "/etc/passwd", "America", "x" * 300, "\ud800"])
def test_what_is_no_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(CronError, match="must be a name such as"):
        parse_cron("0 2 * * *", zone)


def test_spaces_do_not_matter_and_the_expression_is_kept_tidy() -> None:
    assert parse_cron(" 0  2 * *\t* ", "UTC").expression == "0 2 * * *"


def test_a_rare_day_is_found() -> None:
    leap_monday = parse_cron("0 0 * 2 MON#5", "UTC").next(datetime(2026, 1, 1, tzinfo=UTC))
    assert leap_monday == datetime(2044, 2, 29, tzinfo=UTC)
