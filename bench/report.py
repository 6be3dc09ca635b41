"""The result: an object for programs, a table for people."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import asyncpg

from bench.client.plan import Sample
from bench.figure import Figure
from bench.options import Options
from tawny import __version__

FLOOR_LIMIT_US = 250.0
"""CPU of the floor for one get. Where that takes longer, something else is measured than Tawny."""

_BUSY = 0.5
_UNITS = (
    ("per_second", "/s", 0),
    ("p50_ms", "p50 ms", 1),
    ("p99_ms", "p99 ms", 1),
    ("cpu_us", "CPU us", 0),
    ("rss_mb", "RSS MB", 1),
    ("pss_mb", "PSS MB", 1),
    ("mb", "MB", 0),
)


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it was measured."""

    postgresql: str
    load_before: float

    def as_json(self) -> dict[str, Any]:
        facts = {"tawny": __version__, "python": platform.python_version(), "machine": platform.machine()}
        return {**facts, "processors": os.cpu_count(), **asdict(self)}


async def version_of(conn: asyncpg.Connection) -> str:
    """The version of the database at the other end."""
    version = conn.get_server_version()
    return f"{version.major}.{version.micro}"


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured, and whether it counts."""

    options: Options
    machine: Machine
    figures: Sequence[Figure]

    @property
    def floor_get_us(self) -> float | None:
        return next((figure.beside["cpu_us"] for figure in self.figures if figure.name == "get"), None)

    @property
    def counts(self) -> bool:
        return not self._objections()

    def _objections(self) -> list[str]:
        if self.options.quick:
            return ["This run does not count: --quick only shows that everything works."]
        if self.floor_get_us is None:
            return ["This run does not count: without `get` nobody knows how fast the floor was."]
        if self.floor_get_us > FLOOR_LIMIT_US:
            return [
                f"This run does not count: the floor took {self.floor_get_us:.0f} us a get, over {FLOOR_LIMIT_US:.0f}: too slow."
            ]
        return []

    @property
    def warnings(self) -> list[str]:
        busy = self.machine.load_before > _BUSY
        return self._objections() + (
            [f"The machine was busy before it began: load {self.machine.load_before:.2f}."] if busy else []
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "counts": self.counts,
            "warnings": self.warnings,
            "machine": self.machine.as_json(),
            "sizes": asdict(self.options.sizes),
            "figures": {figure.name: figure.as_json() for figure in self.figures},
        }

    def as_text(self) -> str:
        heads = ["", "", *(unit for _, unit, _ in _UNITS), "ratio", "target", "holds"]
        rows = [row for figure in self.figures for row in _rows(figure)]
        return "\n".join([*aligned([heads, *rows]), "", f"Medians of {self.options.sizes.repeat}.", *self.warnings])


def _rows(figure: Figure) -> list[list[str]]:
    ratio = "-" if figure.ratio is None else f"{figure.ratio:.2f} {_NOUNS[figure.measure]}"
    target = str(figure.target) if figure.target else "-"
    holds = {True: "yes", False: "NO", None: "-"}[figure.holds]
    return [
        [figure.title, "tawny", *_values(figure.tawny), ratio, target, holds],
        ["", figure.beside_name.replace("_", " "), *_values(figure.beside), "", "", ""],
    ]


_NOUNS = {
    "cpu_us": "CPU",
    "each_us": "time",
    "per_second": "rate",
    "p50_ms": "p50",
    "p99_ms": "p99",
    "rss_mb": "RSS",
    "mb": "size",
}


def _values(sample: Sample) -> list[str]:
    return [f"{sample[name]:,.{digits}f}" if name in sample else "" for name, _, digits in _UNITS]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Texts to the left, numbers to the right."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if n < 2 else cell.rjust(width) for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
