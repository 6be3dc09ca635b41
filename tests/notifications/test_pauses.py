"""When a message that was not taken is tried again."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tawny.notifications.delivery import Channel, Outcome
from tawny.notifications.pauses import KEPT_TRYING, WEBHOOK_TRIES, is_stale, next_pause

AWAY = Outcome(taken=False, seconds=1)
REFUSED = Outcome(taken=False, seconds=1, hopeless=True)
YOUNG = timedelta(minutes=1)
CHANNELS = st.sampled_from(["mail", "webhook"])


def pauses(channel: str, tries: int, chance: float = 1.0) -> list[float | None]:
    return [next_pause(channel, AWAY, tries=n, age=YOUNG, chance=chance) for n in range(1, tries + 1)]  # type: ignore[arg-type]


def test_pauses_grow_to_a_longest_one() -> None:
    mail = [pause for pause in pauses("mail", 500) if pause]
    assert len(mail) == 500, "a mail is not given up by the number of its tries"
    assert all(a <= b for a, b in pairwise(mail))
    assert (mail[0], mail[-1]) == (5, 1800)


def test_a_webhook_is_given_up_after_some_hours() -> None:
    found = pauses("webhook", WEBHOOK_TRIES)
    assert found[-1] is None
    kept = [pause for pause in found[:-1] if pause is not None]
    assert len(kept) == WEBHOOK_TRIES - 1
    assert 2.5 * 3600 < sum(kept) < 4 * 3600


@pytest.mark.parametrize(
    ("channel", "tries", "days", "stale"),
    [("mail", 1, 6, False), ("mail", 1, 8, True), ("mail", 9, 8, True), ("webhook", 1, 8, True), ("webhook", 2, 8, False)],
)
def test_what_is_older_than_a_week_is_not_begun_unless_somebody_asks_for_it_again(
    channel: Channel, tries: int, days: int, stale: bool
) -> None:
    assert is_stale(channel, tries=tries, age=timedelta(days=days)) is stale


def test_what_is_hopeless_or_old_is_given_up() -> None:
    assert next_pause("mail", REFUSED, tries=1, age=YOUNG, chance=0) is None
    assert next_pause("mail", AWAY, tries=1, age=KEPT_TRYING + YOUNG, chance=0) is None


@given(CHANNELS, st.integers(1, 10_000), st.floats(0, 1))
def test_chance_takes_at_most_half(channel: str, tries: int, chance: float) -> None:
    longest = next_pause(channel, AWAY, tries=tries, age=YOUNG, chance=1)  # type: ignore[arg-type]
    pause = next_pause(channel, AWAY, tries=tries, age=YOUNG, chance=chance)  # type: ignore[arg-type]
    assert (longest is None) == (pause is None)
    if longest is not None and pause is not None:
        assert longest / 2 <= pause <= longest
