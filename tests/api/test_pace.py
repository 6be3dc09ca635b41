"""How fast one actor may ask for runs."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tawny.access import Actor
from tawny.api import pace
from tawny.api.pace import BURST_SECONDS, Pace
from tawny.errors import TooManyRequests

RATE = 4  # a second; its price has no rounding
BURST = RATE * BURST_SECONDS


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1024.0

    def __call__(self) -> float:
        return self.now


def somebody() -> Actor:
    return Actor("api_key", uuid4())


def granted(pace: Pace, actor: Actor, times: int = 10 * BURST) -> int:
    """How many of so many requests are let through."""
    count = 0
    for _ in range(times):
        try:
            pace.spend(actor)
        except TooManyRequests:
            continue
        count += 1
    return count


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_five_seconds_worth_may_come_at_once(clock: Clock) -> None:
    assert granted(Pace(RATE, clock), somebody()) == BURST


def test_then_as_many_as_time_brings(clock: Clock) -> None:
    pace, actor = Pace(RATE, clock), somebody()
    granted(pace, actor)
    for _ in range(20):
        clock.now += 0.25
        assert granted(pace, actor) == 1
    clock.now += 2
    assert granted(pace, actor) == 2 * RATE


def test_time_in_which_nobody_asks_is_not_saved_up(clock: Clock) -> None:
    pace, actor = Pace(RATE, clock), somebody()
    granted(pace, actor)
    clock.now += 86_400
    assert granted(pace, actor) == BURST


def test_at_its_rate_nobody_is_ever_refused(clock: Clock) -> None:
    pace, actor = Pace(RATE, clock), somebody()
    for _ in range(1000):
        clock.now += 1 / RATE
        pace.spend(actor)


def test_who_is_refused_is_told_how_long_to_wait_and_is_let_through_then(clock: Clock) -> None:
    pace, actor = Pace(RATE, clock), somebody()
    granted(pace, actor)
    with pytest.raises(TooManyRequests, match="faster than 4 a second") as refused:
        pace.spend(actor)
    wait = refused.value.details["retry_after"]
    assert (type(wait), wait) == (int, 1)
    clock.now += wait
    pace.spend(actor)


def test_what_was_refused_is_not_counted(clock: Clock) -> None:
    pace, actor = Pace(RATE, clock), somebody()
    granted(pace, actor, 100_000)
    clock.now += 1
    assert granted(pace, actor) == RATE


def test_a_slow_rate_says_how_long_the_wait_is(clock: Clock) -> None:
    pace, actor = Pace(1, clock), somebody()
    assert granted(pace, actor) == BURST_SECONDS
    clock.now += 0.25
    with pytest.raises(TooManyRequests) as refused:
        pace.spend(actor)
    assert refused.value.details["retry_after"] == 1


def test_each_actor_is_counted_for_itself(clock: Clock) -> None:
    pace = Pace(RATE, clock)
    assert [granted(pace, actor) for actor in (somebody(), somebody())] == [BURST, BURST]


def test_an_actor_is_known_by_its_id(clock: Clock) -> None:
    pace, actor = Pace(RATE, clock), somebody()
    granted(pace, actor)
    assert granted(pace, Actor("api_key", actor.id, {uuid4(): "owner"})) == 0


def test_without_a_rate_there_is_no_limit(clock: Clock) -> None:
    assert granted(Pace(0, clock), somebody(), 10_000) == 10_000


def test_the_host_is_not_counted(clock: Clock) -> None:
    assert granted(Pace(RATE, clock), Actor.host(), 1000) == 1000


def test_who_asked_longest_ago_is_forgotten_first(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "_REMEMBERED", 3)
    paced = Pace(RATE, clock)
    first, second = somebody(), somebody()
    for actor in (first, second):
        granted(paced, actor)
    assert granted(paced, first) == 0
    for _ in range(2):
        paced.spend(somebody())
    assert [granted(paced, actor) for actor in (first, second)] == [0, BURST]


def test_a_million_a_second_can_be_counted(clock: Clock) -> None:
    pace, actor = Pace(1_000_000, clock), somebody()
    assert granted(pace, actor, 1000) == 1000
