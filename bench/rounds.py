"""Rounds: each side once in each, so that whatever else the machine does meets all of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from bench.client.plan import Sample

_SHOWN = ("per_second", "p50_ms", "p99_ms", "cpu_us")


def alternate(repeat: int, sides: Mapping[str, Callable[[], Sample]]) -> dict[str, list[Sample]]:
    """Measure every side `repeat` times, in an order that is turned round each time: nobody always comes first."""
    seen: dict[str, list[Sample]] = {name: [] for name in sides}
    for number in range(repeat):
        for name in list(sides)[:: -1 if number % 2 else 1]:
            sample = sides[name]()
            seen[name].append(sample)
            say(f"round {number + 1} of {repeat}  {name:24} {_shown(sample)}")
    return seen


def _shown(sample: Sample) -> str:
    return "  ".join(f"{name} {sample[name]:,.1f}" for name in _SHOWN if name in sample)


def say(line: str) -> None:
    """Tell whoever waits; what is printed on stdout is the result alone."""
    print(line, file=sys.stderr, flush=True)
