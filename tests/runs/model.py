"""The life of one run as pure code, written from the tables of ARCHITECTURE.md. What the statements do is held against it.

`now` and every stored time are seconds of the same clock, whichever that is. Nothing here reads a clock or knows a database.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple, assert_never

Status = Literal["pending", "running", "completed", "failed", "cancelled"]
Said = Literal["completed", "failed", "retrying", "cancelled"]
"""How a worker says that an attempt ended."""

ENDED: Final = ("completed", "failed", "cancelled")
LEASE: Final = 60.0
CRASHES: Final = 3
"""At this many the run fails."""
TOTAL: Final = 9
"""What the progress of every run here goes up to."""


class Fact(NamedTuple):
    kind: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Lease:
    """How long a worker may act."""

    worker: object
    until: float

    def lapsed(self, now: float) -> bool:
        return self.until <= now


@dataclass(frozen=True, slots=True)
class Row:
    """A run, as it is stored."""

    due: float
    status: Status = "pending"
    attempt: int = 0
    failures: int = 0
    charged: frozenset[int] = frozenset()
    """Attempts lost without a goodbye since the last checkpoint, save the one that was forgiven."""
    forgiven: bool = False
    """Whether one was: that is done once."""
    cancel_requested: bool = False
    lease: Lease | None = None
    """That of the worker which has the run: there exactly while it is running."""
    progress: int | None = None
    checkpoint: int | None = None

    @property
    def crashes(self) -> int:
        return len(self.charged)

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    def in_hands_of(self, attempt: int) -> bool:
        return self.status == "running" and self.attempt == attempt


# What can happen. Each event that names an attempt comes from whoever runs that attempt, or once did.


@dataclass(frozen=True, slots=True)
class Trigger:
    """Somebody asks for a run in this slot."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Somebody asks for the run in this slot once more."""


@dataclass(frozen=True, slots=True)
class Claim:
    lease: Lease


@dataclass(frozen=True, slots=True)
class Renew:
    worker: object


@dataclass(frozen=True, slots=True)
class Cancel:
    include_pending: bool = False


@dataclass(frozen=True, slots=True)
class Reap:
    """Somebody looks for workers whose lease ran out."""


@dataclass(frozen=True, slots=True)
class Progress:
    attempt: int
    processed: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    attempt: int
    state: int


@dataclass(frozen=True, slots=True)
class Finish:
    attempt: int
    said: Said
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Release:
    """Its worker gives the run back: in time, or late, when it was taken for dead and is not."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Crash:
    """The run's own process died, says the worker."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Overdue:
    attempt: int


ByHolder = Progress | Checkpoint | Finish | Release | Crash | Overdue
ByOthers = Claim | Renew | Cancel | Reap
Event = Trigger | Retry | ByOthers | ByHolder

Decision = tuple[Row | None, tuple[Fact, ...]]
"""The row after an event, and the facts that it left."""


def decide(row: Row | None, event: Event, now: float) -> Decision:
    """What becomes of the newest run in a slot. None: the slot was never used."""
    match event:
        case Trigger():
            return _made(now) if row is None or row.ended else (row, ())
        case Retry():
            return _made(now) if row is not None and row.ended else (row, ())
    if row is None or row.ended:
        return row, ()
    match event:
        case Claim() | Renew() | Cancel() | Reap():
            return _by_others(row, event, now)
        case Progress() | Checkpoint() | Finish() | Release() | Crash() | Overdue():
            return _by_holder(row, event, now) if row.in_hands_of(event.attempt) else _too_late(row, event)
        case _:
            assert_never(event)


def _made(now: float) -> Decision:
    return Row(due=now), (Fact("triggered", 0),)


def _by_others(row: Row, event: ByOthers, now: float) -> Decision:
    match event:
        case Claim(lease):
            return _claim(row, lease, now)
        case Renew(worker):
            return _renew(row, worker, now), ()
        case Cancel(include_pending):
            return _cancel(row, include_pending)
        case Reap():
            return _lose(row) if row.lease and row.lease.lapsed(now) else (row, ())
        case _:
            assert_never(event)


def _by_holder(row: Row, event: ByHolder, now: float) -> Decision:
    match event:
        case Progress(_, processed):
            return replace(row, progress=processed), ()
        case Checkpoint(_, state):
            return replace(row, checkpoint=state, charged=frozenset()), ()
        case Finish(_, said, delay):
            return _finish(row, said, now + delay)
        case Release():
            return _end(row, "cancelled") if row.cancel_requested else _wait(row, "released")
        case Crash():
            return _lose(row)
        case Overdue(attempt):
            return row, (Fact("overdue", attempt),)
        case _:
            assert_never(event)


def _too_late(row: Row, event: ByHolder) -> Decision:
    """The run is in other hands. All that is left to an attempt is to show that it lived when it was taken for dead."""
    match event:
        case Release(attempt) if attempt in row.charged and not row.forgiven:
            return replace(row, charged=row.charged - {attempt}, forgiven=True), (Fact("released", attempt),)
        case Progress() | Checkpoint() | Finish() | Release() | Crash() | Overdue():
            return row, ()
        case _:
            assert_never(event)


def renewed(lease: Lease, now: float) -> Lease | None:
    """The lease from now on. None: it had run out, and its worker has to enlist anew."""
    return None if lease.lapsed(now) else replace(lease, until=now + LEASE)


def _renew(row: Row, worker: object, now: float) -> Row:
    if row.lease is None or row.lease.worker != worker:
        return row
    return replace(row, lease=renewed(row.lease, now) or row.lease)


def _claim(row: Row, lease: Lease, now: float) -> Decision:
    if row.status != "pending" or row.due > now or lease.lapsed(now):
        return row, ()
    attempt = row.attempt + 1
    return replace(row, status="running", attempt=attempt, lease=lease), (Fact("started", attempt),)


def _cancel(row: Row, include_pending: bool) -> Decision:
    asked, fact = replace(row, cancel_requested=True), Fact("cancel_requested", row.attempt)
    if row.status == "pending":
        return _end(asked, "cancelled", fact) if include_pending else (row, ())
    return (row, ()) if row.cancel_requested else (asked, (fact,))


def _finish(row: Row, said: Said, due: float) -> Decision:
    if said in ("failed", "retrying"):
        row = replace(row, failures=row.failures + 1)
    if row.cancel_requested:
        return _end(row, "cancelled")
    if said == "retrying":
        return _wait(replace(row, due=due), "retrying")
    if said == "completed" and row.progress is not None:
        row = replace(row, progress=TOTAL)
    return _end(row, said)


def _lose(row: Row) -> Decision:
    """The attempt was lost without a goodbye, which charges the run a crash."""
    row, lost = replace(row, charged=row.charged | {row.attempt}), Fact("lost", row.attempt)
    if row.cancel_requested:
        return _end(row, "cancelled", lost)
    return _end(row, "failed", lost) if row.crashes >= CRASHES else _wait(row, "lost")


def _wait(row: Row, kind: str) -> Decision:
    return replace(row, status="pending", lease=None), (Fact(kind, row.attempt),)


def _end(row: Row, status: Status, *first: Fact) -> Decision:
    return replace(row, status=status, lease=None), (*first, Fact(status, row.attempt))


def later(row: Row, seconds: float, beating: frozenset[object] = frozenset()) -> Row:
    """The row after this time, its times counted from then on. Workers that are `beating` have renewed their leases meanwhile."""
    if row.ended:
        return row
    lease = row.lease
    if lease and lease.worker not in beating:
        lease = replace(lease, until=lease.until - seconds)
    return replace(row, due=row.due - seconds, lease=lease)


LEGAL: Final = frozenset(
    {
        (None, "pending"),
        ("pending", "running"),
        ("pending", "cancelled"),
        ("running", "pending"),
        ("running", "completed"),
        ("running", "failed"),
        ("running", "cancelled"),
    }
)
"""From which status to which a run may go."""


class Told(NamedTuple):
    """What facts alone say of a run."""

    status: Status | None = None
    attempt: int = 0
    cancel_requested: bool = False
    last: str = ""


_MOVES: Final[Mapping[str, tuple[tuple[str | None, ...], Status]]] = {
    "triggered": ((None,), "pending"),
    "started": (("pending", "lost"), "running"),
    "retrying": (("running",), "pending"),
    "released": (("running",), "pending"),
    "lost": (("running",), "pending"),
    "completed": (("running",), "completed"),
    "failed": (("running", "lost"), "failed"),
    "cancelled": (("running", "lost", "cancel_requested"), "cancelled"),
}
"""Kinds of facts that move a run: from where, and to which status. A pending run that was lost or asked to stop by the very fact
before is where that fact's kind says."""


def tell(facts: Iterable[Fact], told: Told | None = None) -> Told:
    """What facts say, from `told` on. AssertionError for facts that cannot follow each other."""
    told = told or Told()
    for fact in facts:
        told = _tell(told, fact)
    return told


def _tell(told: Told, fact: Fact) -> Told:
    assert told.status not in ENDED, f"{fact} after the run was {told.status}"
    kind, attempt = fact
    if kind == "released" and (attempt < told.attempt or told.status == "pending"):
        return told._replace(last=kind)  # late: the run had been taken back from this attempt
    assert attempt == told.attempt + (kind == "started"), f"{fact} after {told}"
    if kind not in _MOVES:
        assert kind in ("cancel_requested", "overdue"), f"no fact is of the kind {kind}"
        return told._replace(cancel_requested=told.cancel_requested or kind == "cancel_requested", last=kind)
    origins, status = _MOVES[kind]
    where = told.last if told.status == "pending" and told.last in ("lost", "cancel_requested") else told.status
    assert where in origins, f"{fact} after {told}"
    assert not told.cancel_requested or kind in ("lost", "cancelled"), f"{fact} of a run that was asked to stop"
    return Told(status, attempt, told.cancel_requested, kind)
