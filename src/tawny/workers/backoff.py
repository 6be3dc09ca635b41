"""How long to wait before the next try."""

from __future__ import annotations

import random

_FIRST, _LONGEST = 0.1, 10.0


class Backoff:
    """Full jitter: up to a ceiling that doubles from 0.1 to at most 10 seconds, so that a herd does not come back at once."""

    def __init__(self, longest: float = _LONGEST) -> None:
        self._ceiling = _FIRST
        self._longest = min(longest, _LONGEST)

    def reset(self) -> None:
        self._ceiling = _FIRST

    def next(self) -> float:
        """Seconds to wait now."""
        delay = random.uniform(0, self._ceiling)  # noqa: S311 (not a secret)
        self._ceiling = min(self._ceiling * 2, self._longest)
        return delay
