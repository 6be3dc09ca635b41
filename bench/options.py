"""How much is measured."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

READS = ("get", "list", "filtered", "deep")
ONLY = (*READS, "trigger", "start", "drain", "limit", "retention")

FEWEST_ROWS = 2_000
"""With fewer there is no full page at three quarters of the depth."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many of what. `lanes` triggers are in flight at once, each on a project of its own."""

    rows: int = 200_000
    repeat: int = 5
    connections: int = 32
    lanes: int = 16
    gets: int = 20_000
    lists: int = 6_000
    runs: int = 3_000
    triggers: int = 6_000
    starts: int = 50
    drain: int = 10_000
    limited: int = 3_000
    old: int = 1_000_000

    @property
    def depth(self) -> int:
        """Rows before the deep page."""
        return self.rows * 3 // 4


QUICK = Sizes(
    rows=FEWEST_ROWS,
    repeat=1,
    connections=32,
    lanes=16,
    gets=640,
    lists=320,
    runs=48,
    triggers=160,
    starts=3,
    drain=300,
    limited=100,
    old=3_000,
)


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for on the command line."""

    sizes: Sizes
    only: frozenset[str]
    quick: bool
    as_json: bool

    @property
    def reads(self) -> list[str]:
        return [name for name in READS if name in self.only]


def parse(arguments: list[str]) -> Options:
    """Read the command line; exits with a sentence when it is wrong."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure Tawny beside the floor. Needs a quiet machine.")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument(
        "--quick", action="store_true", help="a short run that shows that everything works; its figures mean nothing"
    )
    parser.add_argument("--only", default=",".join(ONLY), metavar="A,B", help=f"of: {', '.join(ONLY)}")
    parser.add_argument("--repeat", type=int, metavar="N", help="rounds, of which the median counts (5)")
    parser.add_argument("--rows", type=int, metavar="N", help="stored runs (200000)")
    parser.add_argument("--old", type=int, metavar="N", help="runs that retention deletes (1000000)")
    given = parser.parse_args(arguments)

    only = frozenset(name.strip() for name in given.only.split(","))
    if only - set(ONLY):
        parser.error(f"--only knows {', '.join(ONLY)}; not {', '.join(sorted(only - set(ONLY)))}.")
    if given.rows is not None and given.rows < FEWEST_ROWS:
        parser.error(f"--rows has to be at least {FEWEST_ROWS}.")
    if given.repeat is not None and given.repeat < 1:
        parser.error("--repeat has to be at least 1.")
    chosen = {
        name: value for name, value in (("rows", given.rows), ("repeat", given.repeat), ("old", given.old)) if value is not None
    }
    return Options(replace(QUICK if given.quick else Sizes(), **chosen), only, given.quick, given.json)
