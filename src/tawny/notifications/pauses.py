"""When a message that was not taken is tried again. Pure: the age and the chance are arguments."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from tawny.notifications.delivery import Channel, Outcome

KEPT_TRYING: Final = timedelta(days=7)
"""How long a mail may wait for its server. Older news are nobody's: nor are those that a restored backup brings back."""

WEBHOOK_TRIES: Final = 8

_MAIL: Final = (5.0, 2.0, 1_800.0)
_WEBHOOK: Final = (10.0, 3.0, 7_200.0)
"""The first pause in seconds, what each is longer than the one before, and the longest. With eight tries about three hours."""


def is_stale(channel: Channel, *, tries: int, age: timedelta) -> bool:
    """Whether a message is not even begun, since it is no news. A post that somebody asks for once more need not be."""
    return age > KEPT_TRYING and (channel == "mail" or tries == 1)


def next_pause(channel: Channel, outcome: Outcome, *, tries: int, age: timedelta, chance: float) -> float | None:
    """Seconds until the next try: between half and all of a pause that grows, by `chance` from 0 to 1. None: it is given up."""
    if outcome.hopeless or age > KEPT_TRYING or (channel == "webhook" and tries >= WEBHOOK_TRIES):
        return None
    first, factor, longest = _MAIL if channel == "mail" else _WEBHOOK
    pause = min(longest, first * factor ** min(tries - 1, 20))
    return pause * (0.5 + chance / 2)
