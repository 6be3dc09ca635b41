"""How much is measured."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

SCALE: Final = 10.0
LATENCIES: Final = (5.0, 50.0, 150.0, 300.0)
"""Milliseconds of one request."""

PAUSE: Final = 350.0
"""Milliseconds that the published loop waits behind each user."""

RATE: Final = 468
"""Requests a minute that Tawny makes, unless its operator says otherwise."""

LIMIT: Final = 480
"""Requests a minute that RevenueCat answers."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many customers each part has."""

    users: int = 1_000
    again: int = 1_000
    kinds: int = 300
    small: int = 1_000
    large: int = 100_000


QUICK: Final = Sizes(users=16, again=100, kinds=30, small=60, large=300)


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for on the command line."""

    sizes: Sizes
    quick: bool
    as_json: bool


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line; exits with a sentence when it is wrong."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench revenuecat", description="Measure the RevenueCat sync beside the published loop, on the fake."
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument(
        "--quick", action="store_true", help="a short run that shows that everything works; its figures mean nothing"
    )
    parser.add_argument("--users", type=int, metavar="N", help="customers at each latency (1000)")
    parser.add_argument("--large", type=int, metavar="N", help="customers of the large sync whose memory is looked at (100000)")
    given = parser.parse_args(arguments)
    chosen = {name: value for name, value in (("users", given.users), ("large", given.large)) if value is not None}
    if any(value < 1 for value in chosen.values()):
        parser.error("there has to be at least one customer.")
    return Options(replace(QUICK if given.quick else Sizes(), **chosen), given.quick, given.json)
