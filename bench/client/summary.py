"""Many durations in a few numbers."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from bench.client.plan import Sample


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that this share of all values does not exceed."""
    return sorted(values)[ceil(len(values) * percent / 100) - 1]


def in_ms(seconds: Sequence[float], prefix: str = "") -> Sample:
    return {f"{prefix}p50_ms": percentile(seconds, 50) * 1e3, f"{prefix}p99_ms": percentile(seconds, 99) * 1e3}
