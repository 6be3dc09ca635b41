"""The bounds that the sync is held to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.figure import Target
from bench.revenuecat.measure import Measured
from bench.revenuecat.options import LIMIT

_AT_LEAST = {150.0: 1.6, 300.0: 2.3}
_ANYWHERE = 1.25


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure and its bound."""

    name: str
    said: str
    measured: float
    target: Target

    @property
    def holds(self) -> bool:
        return self.target.holds(self.measured)

    def as_json(self) -> dict[str, Any]:
        judged = {"target": str(self.target), "holds": self.holds}
        return {"name": self.name, "said": self.said, "measured": self.measured} | judged


def goals(measured: Measured) -> Iterator[Goal]:
    """Every goal, in the order of their numbers."""
    alone = [pair.tawny for pair in measured.latencies.values()]
    yield Goal("G1", "requests a user of a full sync, the most", max(side.requests_per_user for side in alone), Target(3.05))
    for latency, pair in measured.latencies.items():
        bound = Target(_AT_LEAST.get(latency, _ANYWHERE), at_least=True)
        yield Goal("G2", f"correct users a minute, times the loop's, at {latency:g} ms", pair.ratio, bound)
    yield Goal("G2", "users lost", sum(side.lost for side in alone), Target(0))
    yield Goal("G2", "users written otherwise than they are", sum(side.wrong for side in alone), Target(0))
    again = measured.again
    yield Goal("G3", f"requests a user of a second sync, {again.due:.1%} due", again.second.requests_per_user, Target(0.25))
    yield Goal("G3", "times as fast as the first", again.full.seconds / again.second.seconds, Target(15, at_least=True))
    everywhere = [*alone, again.full, again.second]
    yield Goal("G4", "requests in any minute, the most", max(side.busiest for side in everywhere), Target(LIMIT))
    yield Goal("G4", "answers 429 when alone", sum(side.rate_limited for side in everywhere), Target(0))
    beside = measured.neighbour
    refused = beside.rate_limited / beside.requests
    yield Goal("G4", "share of answers 429 beside another program that makes 240 a minute", refused, Target(0.02))
    grown = measured.large.peak_mb / measured.small.peak_mb
    yield Goal("G6", f"memory for {measured.large.users:,} users, times that for {measured.small.users:,}", grown, Target(1.2))
