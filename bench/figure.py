"""One figure: what Tawny took, what the floor took, and whether their ratio is good enough."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.client.plan import Sample


@dataclass(frozen=True, slots=True)
class Target:
    """A bound of the ratio: at most for costs, at least for rates."""

    bound: float
    at_least: bool = False

    def holds(self, ratio: float) -> bool:
        return ratio >= self.bound if self.at_least else ratio <= self.bound

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Figure:
    """The samples of every round, Tawny's and those of what stands beside it. The medians of `measure` make the ratio."""

    name: str
    title: str
    measure: str
    rounds: Sequence[Sample]
    beside_rounds: Sequence[Sample]
    target: Target | None = None
    beside_name: str = "floor"

    @property
    def tawny(self) -> Sample:
        return median(self.rounds)

    @property
    def beside(self) -> Sample:
        return median(self.beside_rounds)

    @property
    def ratio(self) -> float | None:
        """None when what stands beside it is too small to be measured."""
        beside = self.beside[self.measure]
        return self.tawny[self.measure] / beside if beside else None

    @property
    def holds(self) -> bool | None:
        """None without a target or a ratio."""
        ratio = self.ratio
        return None if self.target is None or ratio is None else self.target.holds(ratio)

    def as_json(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "tawny": self.tawny,
            self.beside_name: self.beside,
            "measure": self.measure,
            "ratio": self.ratio,
            "target": str(self.target) if self.target else None,
            "holds": self.holds,
            "rounds": {"tawny": self.rounds, self.beside_name: self.beside_rounds},
        }


def median(samples: Sequence[Sample]) -> Sample:
    """The median of each value."""
    return {name: statistics.median(sample[name] for sample in samples) for name in samples[0]}
