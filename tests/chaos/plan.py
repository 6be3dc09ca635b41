"""What will be broken when: drawn from a seed before anything is started, so that the same seed breaks the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random

WORK = ("work", "stride", "book")
"""The everyday job types: 40 to 480 ms in a few steps."""

Span = tuple[float, float]


@dataclass(frozen=True)
class Change:
    """Some text of one file, below `src/tawny`, and what stands there instead in a copy."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, order=True)
class Fault:
    """Something to break, so many seconds after the beginning."""

    at: float
    kind: str
    target: int = 0
    """Which worker or proxy, counted round."""
    seconds: float = 0.0
    """For how long, where that is to be said."""


def every(
    chance: Random, kind: str, gap: Span, until: float, *, first: float = 1.0, seconds: Span = (0.0, 0.0), targets: int = 1
) -> Iterator[Fault]:
    """Faults of one kind, with gaps between them drawn from `gap`; one at least."""
    at = within(first, until)
    while at < until:
        yield Fault(round(at, 3), kind, chance.randrange(targets), round(chance.uniform(*seconds), 3))
        at += chance.uniform(*gap)


def spread(chance: Random, kinds: list[str], until: float, *, first: float = 1.0, seconds: Span = (0.0, 0.0)) -> Iterator[Fault]:
    """These faults, each once, in a drawn order, evenly over the time."""
    shuffled = chance.sample(kinds, len(kinds))
    first = within(first, until)
    apart = (until - first) / len(shuffled)
    for place, kind in enumerate(shuffled):
        yield Fault(round(first + place * apart, 3), kind, chance.randrange(64), round(chance.uniform(*seconds), 3))


def within(first: float, until: float) -> float:
    """When the first of them comes: earlier than that in a short cut, which is to see each of them too."""
    return min(first, until / 2)


Planner = Callable[[Random, float], list[Fault]]


@dataclass(frozen=True)
class Scenario:
    """What is broken, for how long, with what around it."""

    name: str
    title: str
    seconds: float
    """How long faults go on in a full run."""
    planner: Planner
    gates: dict[str, float]
    """What must at least have happened in a full run, or it showed nothing; scaled with the seconds."""
    workers: int = 4
    clients: int = 16
    pace: float = 0.25
    """Seconds that a client waits at most between two triggers."""
    loss: float = 0.0
    latency: float = 0.0
    job_types: tuple[str, ...] = WORK
    projects: int = 150
    millis: tuple[int, int] = (20, 80)
    """How long one of the two to six steps of a run takes, at least and at most."""
    embedded: bool = False
    """On the embedded database, which `tawny serve` itself keeps alive."""
    disk: int | None = None
    """Mebibytes of the disk that the state folder is on: one in memory, which only root can mount."""
    settings: dict[str, str] = field(default_factory=dict)
    schedules: int = 0
    """How many schedules are due each second."""
    skews: tuple[str, ...] = ()
    """What is wrong with the clock of each worker: seconds, or `back 3600` for a jump while it works."""
    notify: float = 0.0
    """The share of triggers that ask for a mail. With any there is a mail server."""
    patient: bool = False
    """It breaks the same again until as many triggers were acknowledged as its gate asks for: a slow machine takes longer."""
    changes: tuple[Change, ...] = ()
    """What is tested differs from the source in this: cron knows no seconds, and pauses are long."""

    def plan(self, seed: int, seconds: float) -> list[Fault]:
        return sorted(self.planner(Random(f"{seed}-{self.name}"), seconds))


def digest(plan: list[Fault]) -> str:
    """A short name of a plan: the same seed has the same."""
    return sha256(repr(plan).encode()).hexdigest()[:12]
