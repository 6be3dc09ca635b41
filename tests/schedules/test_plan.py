"""What becomes of due times that have come, by policy and by how late they were found."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tawny.jobs import parse_cron
from tawny.schedules.plan import WINDOW, plan

HOURLY, MINUTELY = parse_cron("0 * * * *", "UTC"), parse_cron("* * * * *", "UTC")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


@pytest.mark.parametrize("catch_up", ["last", "all", "none"])
def test_on_time_the_run_is_wanted_whatever_the_policy(catch_up) -> None:
    planned = plan(HOURLY, catch_up, enabled=True, due_at=NOON, now=NOON + SECOND)
    assert (planned.ticks, planned.wanted, planned.next_at, planned.patient) == ([], NOON, NOON + HOUR, False)


def test_the_last_of_those_that_were_missed_is_made_up_for() -> None:
    planned = plan(HOURLY, "last", enabled=True, due_at=NOON, now=NOON + 3 * HOUR + 30 * MINUTE)
    assert [(tick.due_at, tick.decision) for tick in planned.ticks] == [(NOON + n * HOUR, "missed") for n in range(3)]
    assert (planned.wanted, planned.next_at) == (NOON + 3 * HOUR, NOON + 4 * HOUR)


def test_none_of_those_that_were_missed_is_made_up_for() -> None:
    planned = plan(HOURLY, "none", enabled=True, due_at=NOON, now=NOON + 3 * HOUR + 30 * MINUTE)
    assert [tick.decision for tick in planned.ticks] == ["missed"] * 4
    assert planned.wanted is None
    assert planned.next_at == NOON + 4 * HOUR


def test_what_is_on_time_is_no_catching_up() -> None:
    planned = plan(HOURLY, "none", enabled=True, due_at=NOON, now=NOON + 3 * HOUR + SECOND)
    assert [tick.decision for tick in planned.ticks] == ["missed"] * 3
    assert planned.wanted == NOON + 3 * HOUR


def test_all_of_those_that_were_missed_are_made_up_for_one_after_the_other() -> None:
    planned = plan(HOURLY, "all", enabled=True, due_at=NOON, now=NOON + 3 * HOUR)
    assert (planned.ticks, planned.wanted, planned.next_at, planned.patient) == ([], NOON, NOON + HOUR, True)


def test_while_it_is_paused_each_due_time_is_written_down() -> None:
    planned = plan(HOURLY, "all", enabled=False, due_at=NOON, now=NOON + 2 * HOUR)
    assert [tick.decision for tick in planned.ticks] == ["skipped_disabled"] * 3
    assert planned.wanted is None


@pytest.mark.parametrize("catch_up", ["last", "all", "none"])
def test_what_lies_more_than_a_day_back_is_one_row(catch_up) -> None:
    now = NOON + timedelta(days=90)
    planned = plan(MINUTELY, catch_up, enabled=True, due_at=NOON, now=now)
    long_past = planned.ticks[0]
    assert (long_past.due_at, long_past.until) == (NOON, now - WINDOW - MINUTE)
    assert long_past.times == 89 * 24 * 60
    assert long_past.decision == "missed"


def test_what_is_due_once_in_years_and_lies_long_back_leaves_nothing_to_do() -> None:
    yearly = parse_cron("0 0 29 2 *", "UTC")
    due_at = datetime(2024, 2, 29, tzinfo=UTC)
    planned = plan(yearly, "last", enabled=True, due_at=due_at, now=NOON)
    (tick,) = planned.ticks
    assert (tick.due_at, tick.until, tick.times) == (due_at, due_at, 1)
    assert (planned.wanted, planned.next_at) == (None, datetime(2028, 2, 29, tzinfo=UTC))


@given(
    st.sampled_from(["0 * * * *", "30 2 * * *", "*/7 * * * *", "15,45 1-3 * * *"]),
    st.sampled_from(["Europe/Vienna", "Australia/Lord_Howe"]),
    st.sampled_from(["last", "all", "none"]),
    st.booleans(),
    st.datetimes(datetime(2026, 3, 26), datetime(2026, 4, 8), timezones=st.just(UTC)),
    st.timedeltas(timedelta(0), timedelta(days=3)),
)
def test_each_due_time_is_decided_once_and_none_is_left_out(expression, zone, catch_up, enabled, begin, late) -> None:
    """Whatever happened, plan after plan: what is decided and what is next leave no gap and do not overlap."""
    cron = parse_cron(expression, zone)
    due_at = cron.next(begin)
    now = due_at + late
    decided, next_at = 0, due_at
    while next_at <= now:
        planned = plan(cron, catch_up, enabled=enabled, due_at=next_at, now=now)
        decided += sum(tick.times for tick in planned.ticks) + (planned.wanted is not None)
        assert planned.next_at > next_at, "it goes on"
        next_at = planned.next_at
    assert decided == cron.count(due_at, now + timedelta(microseconds=1))[0]
    assert next_at == cron.next(now)
