"""What a scenario leaves behind, for a judge who was not there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.chaos.ledger import Fact

Row = dict[str, Any]


@dataclass(frozen=True)
class Health:
    """What a process uses."""

    memory: int
    """Bytes."""
    files: int
    """Open descriptors."""


@dataclass
class Evidence:
    """The ledger, the database's own records, and what the harness saw."""

    facts: list[Fact]
    """In the order of their times."""
    runs: list[Row]
    """id, call, slot, job_type, status, error_code, attempt, crashes, result_of (the attempt that its result names), notify (was
    a mail asked for), schedule and due (which asked for it, and for which due time); in the order in which they were made."""
    events: list[Row]
    """run, seq, kind, attempt, worker; in their order within each run."""
    audit: list[Row] = field(default_factory=list)
    """run, old, new, attempt, stale: each change of a status, as a database trigger saw it."""
    effects: list[str] = field(default_factory=list)
    """The run of each row that a handler committed in `run.transaction()`."""
    schedules: list[Row] = field(default_factory=list)
    """id, made, next (the due time that comes next); all of them are due each second. Times are the database's, since 1970."""
    ticks: list[Row] = field(default_factory=list)
    """schedule, due, decision, run, decided, until and times; in the order of their due times for each schedule."""
    mails: list[Row] = field(default_factory=list)
    """run, status, tries and unsure (tries of which nobody knows how they ended) of each mail, as Tawny has them."""
    stopped: float | None = None
    """When schedules were let be, by the clock of the database."""
    clock: float = 0.0
    """What is added to a time of the facts to make it one of the database's clock."""
    overlaps: list[str] = field(default_factory=list)
    """Runs that were seen in one slot at one moment."""
    statuses: dict[int, int] = field(default_factory=dict)
    """How often clients were answered with each HTTP status."""
    slowest_refusal: float = 0.0
    logs: dict[str, str] = field(default_factory=dict)
    """What each process said."""
    dump: str = ""
    """Every row of the database, as text."""
    secrets: list[str] = field(default_factory=list)
    noticed: list[float] = field(default_factory=list)
    """Seconds after which workers gave up connections that were frozen."""
    lost_replies: int = 0
    connections: int = 0
    """The most that were open at once."""
    connects: list[float] = field(default_factory=list)
    """When somebody connected to the database."""
    before: dict[str, Health] = field(default_factory=dict)
    after: dict[str, Health] = field(default_factory=dict)
    drained: float = 0.0

    def of(self, *kinds: str) -> list[Fact]:
        """The facts of these kinds."""
        return [fact for fact in self.facts if fact["what"] in kinds]
