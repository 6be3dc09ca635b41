"""What every run, slot and worker must be by now, by the model alone. Times are counted from now: now is always 0."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from tests.runs.model import (
    LEASE,
    Cancel,
    Claim,
    Event,
    Fact,
    Finish,
    Lease,
    Reap,
    Release,
    Renew,
    Retry,
    Row,
    Status,
    Trigger,
    decide,
    later,
    renewed,
)

NOW = 0.0
KEPT = 86_400.0
"""How long the answer under an idempotency key is kept."""


class Slot(NamedTuple):
    """Where one run may be active at a time."""

    project: UUID
    job: str
    month: str | None = None


class Held(NamedTuple):
    """An attempt of a run, and who was given it."""

    run: UUID
    attempt: int
    worker: UUID


class Asked(NamedTuple):
    """A request for a run, as an idempotency key remembers it."""

    slot: Slot
    retry_of: UUID | None = None


@dataclass
class Answer:
    asked: Asked
    run: UUID
    age: float = 0.0


@dataclass
class Expected:
    rows: dict[UUID, Row] = field(default_factory=dict)
    facts: dict[UUID, list[Fact]] = field(default_factory=dict)
    slots: dict[UUID, Slot] = field(default_factory=dict)
    newest: dict[Slot, UUID] = field(default_factory=dict)
    leases: dict[UUID, Lease] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)
    """Every attempt that was ever begun."""
    crashed: set[UUID] = field(default_factory=set)
    answers: dict[str, Answer] = field(default_factory=dict)
    deleted: set[UUID] = field(default_factory=set)

    def happen(self, run: UUID, event: Event) -> tuple[Fact, ...]:
        """Let this happen to a run, and return what facts it leaves."""
        row, facts = decide(self.rows[run], event, NOW)
        assert row
        self.rows[run] = row
        self.facts[run] += facts
        return facts

    def in_hands(self, held: Held) -> bool:
        return self.rows[held.run].in_hands_of(held.attempt)

    def is_active(self, run: UUID) -> bool:
        return not self.rows[run].ended

    # Runs are made

    def answer_to(self, asked: Asked, key: str | None) -> tuple[str, UUID | None]:
        """What a request for a run is answered: the outcome in a word, and the run that it names."""
        first = self.answers.get(key) if key else None
        if first and first.age < KEPT:
            return ("replayed", first.run) if first.asked == asked else ("misused", None)
        if asked.slot.project in self.deleted:
            return "not found", None
        if self._may_make(asked):
            return "made", None
        return "conflict", self.newest[asked.slot]

    def _may_make(self, asked: Asked) -> bool:
        newest = self.newest.get(asked.slot)
        return bool(decide(self.rows[newest] if newest else None, Retry() if asked.retry_of else Trigger(), NOW)[1])

    def made(self, run: UUID, asked: Asked, key: str | None = None) -> None:
        row, facts = decide(None, Trigger(), NOW)
        assert row
        self.rows[run], self.facts[run], self.slots[run] = row, list(facts), asked.slot
        self.newest[asked.slot] = run
        if key:
            self.answers[key] = Answer(asked, run)

    # Workers

    def enlist(self, worker: UUID) -> None:
        self.leases[worker] = Lease(worker, LEASE)

    def claimable(self, worker: UUID, jobs: Collection[str]) -> set[UUID]:
        """The runs of these types that this worker may take now."""
        lease = self.leases.get(worker)
        if lease is None:
            return set()
        return {run for run, row in self.rows.items() if self.slots[run].job in jobs and decide(row, Claim(lease), NOW)[1]}

    def waiting(self, *jobs: str) -> bool:
        """Whether a run of these types is pending, due or not."""
        return any(row.status == "pending" and self.slots[run].job in jobs for run, row in self.rows.items())

    def running(self, *jobs: str) -> int:
        """How many runs are running, of these types or of all."""
        return sum(row.status == "running" and (not jobs or self.slots[run].job in jobs) for run, row in self.rows.items())

    def claim(self, worker: UUID, runs: Sequence[UUID]) -> list[Held]:
        """The attempts that this worker begins when it is given these runs."""
        for run in runs:
            assert self.happen(run, Claim(self.leases[worker]))
        begun = [Held(run, self.rows[run].attempt, worker) for run in runs]
        self.held += begun
        return begun

    def given_to(self, worker: UUID) -> list[Held]:
        return [held for held in self.held if held.worker == worker]

    def held_by(self, worker: UUID) -> list[Held]:
        return [held for held in self.given_to(worker) if self.in_hands(held)]

    def renew(self, worker: UUID) -> bool:
        """Whether the lease was renewed."""
        lease = self.leases.get(worker)
        after = lease and renewed(lease, NOW)
        if after is None:
            return False
        self.leases[worker] = after
        for run in self.rows:
            self.happen(run, Renew(worker))
        return True

    def leave(self, worker: UUID, known: Collection[Held]) -> None:
        self.leases.pop(worker, None)
        self.release({*known, *self.held_by(worker)})

    def reap(self) -> dict[UUID, Status]:
        """What became of each run that was taken back."""
        taken = [run for run in self.rows if self.happen(run, Reap())]
        self.leases = {worker: lease for worker, lease in self.leases.items() if not lease.lapsed(NOW)}
        return {run: self.rows[run].status for run in taken}

    def lapsed(self) -> bool:
        """Whether a worker's lease has run out."""
        return any(lease.lapsed(NOW) for lease in self.leases.values())

    def pass_(self, seconds: float, frozen: Collection[UUID]) -> set[UUID]:
        """Let time go by, and return the workers that renewed their leases in it."""
        awake = (self.leases.keys() - self.crashed).difference(frozen)
        beating = {worker for worker in awake if not self.leases[worker].lapsed(NOW)}
        for worker in self.leases.keys() - beating:
            lease = self.leases[worker]
            self.leases[worker] = Lease(worker, lease.until - seconds)
        self.rows = {run: later(row, seconds, frozenset(beating)) for run, row in self.rows.items()}
        for answer in self.answers.values():
            answer.age += seconds
        return beating

    # Attempts end

    def release(self, helds: Collection[Held]) -> bool:
        """Give back what is in these hands, then what was lost already. Whether any of that was forgiven."""
        in_time = [held for held in sorted(helds) if self.in_hands(held)]
        late = sorted({*helds} - {*in_time})
        for held in in_time:
            self.happen(held.run, Release(held.attempt))
        forgiven = [held for held in late if self.happen(held.run, Release(held.attempt))]
        return bool(forgiven)

    def finish(self, endings: Sequence[tuple[Held, Finish]]) -> dict[UUID, Status]:
        """What the worker is told: also of attempts that had ended before, whose reply may have been lost."""
        told: dict[UUID, Status] = {}
        for held, finish in endings:
            before = self._ended_as(held)
            if self.happen(held.run, finish):
                told[held.run] = self.rows[held.run].status
            elif before:
                told[held.run] = before
        return told

    def _ended_as(self, held: Held) -> Status | None:
        ends: dict[str, Status] = {"completed": "completed", "failed": "failed", "cancelled": "cancelled", "retrying": "pending"}
        own = [ends[kind] for kind, attempt in self.facts[held.run] if attempt == held.attempt and kind in ends]
        return own[-1] if own else None

    def cancel(self, run: UUID, include_pending: bool) -> tuple[str, UUID | None]:
        """The outcome in a word, and the worker to wake."""
        before = self.rows[run]
        if self.happen(run, Cancel(include_pending)):
            return "asked" if before.lease else "ended", before.lease and before.lease.worker
        return "asked before" if before.status == "running" else "refused", None
