"""When a run that failed is tried again."""

from __future__ import annotations

from typing import Final

FIRST: Final = 2.0
LONGEST: Final = 3600.0


def delay_before_retry(failures: int, chance: float) -> float:
    """Return the seconds from the given failure, counted from 1, to the next attempt.

    The whole delay doubles from 2 seconds to an hour. Between half and all of it is waited, as `chance` from 0 to 1 decides:
    runs that failed together, because something they all need was away, do not come back together.
    """
    doublings = min(failures - 1, 16)  # enough for an hour
    whole = min(FIRST * float(2**doublings), LONGEST)
    return whole * (1 + chance) / 2
