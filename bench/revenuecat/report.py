"""The result: an object for programs, tables for people."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from bench.report import Machine, aligned
from bench.revenuecat.goals import goals
from bench.revenuecat.measure import Measured
from bench.revenuecat.options import Options
from bench.revenuecat.side import Side

_HEADS = ["", "", "users", "requests/user", "correct/min", "busiest min", "429s", "lost", "wrong"]


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured. Minutes and milliseconds are real ones; they were measured on a clock that is ten times as fast."""

    options: Options
    machine: Machine
    measured: Measured

    def as_json(self) -> dict[str, Any]:
        measured = self.measured
        pairs = {f"{latency:g}_ms": pair for latency, pair in measured.latencies.items()} | {"kinds": measured.kinds}
        return {
            "counts": not self.options.quick,
            "machine": self.machine.as_json(),
            "sizes": asdict(self.options.sizes),
            "sides": {name: {"tawny": pair.tawny.as_json(), "loop": pair.loop.as_json()} for name, pair in pairs.items()},
            "again": {
                "due": measured.again.due,
                "full": measured.again.full.as_json(),
                "second": measured.again.second.as_json(),
            },
            "neighbour": measured.neighbour.as_json(),
            "memory": {"small": asdict(measured.small), "large": asdict(measured.large)},
            "goals": [goal.as_json() for goal in goals(measured)],
        }

    def as_text(self) -> str:
        quick = ["", "This run does not count: --quick only shows that everything works."] if self.options.quick else []
        return "\n".join([*self._sides(), "", *self._sizes(), "", *self._goals(), *quick])

    def _sides(self) -> list[str]:
        measured, rows = self.measured, [_HEADS]
        pairs = {f"{latency:g} ms": pair for latency, pair in measured.latencies.items()}
        for title, pair in {**pairs, "every kind, no limits": measured.kinds}.items():
            rows += [_row(title, "tawny", pair.tawny), _row("", "loop", pair.loop)]
        rows += [_row("first sync", "tawny", measured.again.full), _row("second sync", "tawny", measured.again.second)]
        return aligned([*rows, _row("beside a neighbour", "tawny", measured.neighbour)])

    def _sizes(self) -> list[str]:
        sizes = (self.measured.small, self.measured.large)
        rows = [
            [f"{size.users:,}", f"{size.users_per_second:,.0f}", f"{size.cpu_ms:.1f}", f"{size.peak_mb:.1f}"] for size in sizes
        ]
        return aligned([["users", "users/s", "CPU ms/user", "peak MB"], *rows])

    def _goals(self) -> list[str]:
        rows = [
            [goal.name, goal.said, f"{goal.measured:,.3g}", str(goal.target), "yes" if goal.holds else "NO"]
            for goal in goals(self.measured)
        ]
        return aligned([["goal", "", "measured", "target", "holds"], *rows])


def _row(title: str, name: str, side: Side) -> list[str]:
    figures = [f"{side.requests_per_user:.2f}", f"{side.correct_per_minute:,.0f}"]
    counts = (side.busiest, side.rate_limited, side.lost, side.wrong)
    return [title, name, f"{side.users:,}", *figures, *(f"{count:,}" for count in counts)]
