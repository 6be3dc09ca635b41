"""The verbs of this room on PostgreSQL, in any order, held against the model after each step.

Time passes by setting every stored time back. All spans are chosen so that no two moments that are compared come nearer to each
other than 20 seconds: how long a step really takes decides nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple, get_args
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import MultipleResults, consumes, initialize, multiple, precondition, rule
from tests.runs import model
from tests.runs.expected import Held, Slot
from tests.runs.model import LEASE, TOTAL, Checkpoint, Crash, Overdue, Progress, Said
from tests.runs.requests import Requests
from tests.runs.stage import DELAY, OVERNIGHT, PLACES, SPAN

from tawny import runs
from tawny.db.pool import Connection
from tawny.runs import Claimed, Finish, Flushed

_LATER: Final = """
with w as (update workers set leased_until = leased_until - make_interval(secs => $1) where id <> all ($2)),
r as (update job_runs set run_at = run_at - make_interval(secs => $1) where outcome is null)
update idempotency_keys set created_at = created_at - make_interval(secs => $1)
"""


class Begun(NamedTuple):
    projects: list[UUID]
    workers: list[UUID]
    asked: list[UUID]
    attempt: Held
    lost: list[Held]


class Machine(Requests):
    """Teams ask for runs, workers work, die, freeze and come back, and time passes."""

    perhaps_late = st.lists(Requests.gone, max_size=1)
    late_attempts = st.lists(Requests.gone, min_size=1, max_size=2, unique=True)

    def __init__(self, loop: asyncio.AbstractEventLoop, conn: Connection, taken: Counter[str]) -> None:
        super().__init__(loop, conn, taken)
        self.begun = self._begin_work()

    def _begin_work(self) -> Begun:
        """So much there is before the first step that every rule has something to do."""
        project, other = self.make_project(), self.make_project()
        workers = [self._enlist(), self._enlist()]
        slots = [Slot(project, "export"), Slot(other, "export"), Slot(project, "import")]
        asked = [run for slot in slots for run in self.ask_for("trigger", self.actor, slot, None).values]
        lost = [self._lose_one(workers[0]) for _ in range(model.CRASHES - 1)]
        (attempt,) = self.claim(workers[0], 1).values
        return Begun([project, other], workers, asked, attempt, lost)

    def _lose_one(self, worker: UUID) -> Held:
        (held,) = self.claim(worker, 1).values
        self._take_back([held])
        return held

    @initialize(target=Requests.projects)
    def begin_with_projects(self) -> MultipleResults[UUID]:
        return multiple(*self.begun.projects)

    @initialize(target=Requests.workers)
    def begin_with_workers(self) -> MultipleResults[UUID]:
        return multiple(*self.begun.workers)

    @initialize(target=Requests.asked)
    def begin_with_runs(self) -> MultipleResults[UUID]:
        return multiple(*self.begun.asked)

    @initialize(target=Requests.attempts)
    def begin_with_an_attempt(self) -> Held:
        return self.begun.attempt

    @initialize(target=Requests.gone)
    def begin_with_lost_attempts(self) -> MultipleResults[Held]:
        return multiple(*self.begun.lost)

    # Workers

    @precondition(lambda self: self.has("workers") < 3)
    @rule(target=Requests.workers)
    def enlist(self) -> UUID:
        self.took("enlist")
        return self._enlist()

    def _enlist(self) -> UUID:
        worker = self.do(runs.enlist(self.conn, name="test:1", version="0", lease=LEASE))
        self.expected.enlist(worker)
        return worker

    @precondition(lambda self: self.expected.waiting("export", "report"))
    @rule(target=Requests.attempts, worker=Requests.workers, slots=st.integers(1, 3))
    def claim(self, worker: UUID, slots: int) -> MultipleResults[Held]:
        claimed = self.do(runs.claim(self.conn, worker, job_types=["export", "report"], slots=slots))
        self.took("claim", "some" if claimed else "none")
        return self._begin_attempts(worker, claimed, {"export", "report"}, slots)

    claim_more = claim

    @precondition(lambda self: self.expected.waiting("import"))
    @rule(target=Requests.attempts, worker=Requests.workers, slots=st.integers(1, 2))
    def claim_seated(self, worker: UUID, slots: int) -> MultipleResults[Held]:
        free = PLACES["import"] - self.expected.running("import")
        claimed = self.do(runs.claim_seated(self.conn, worker, limits=PLACES, slots=slots))
        self.took("claim_seated", "some" if claimed else "none")
        return self._begin_attempts(worker, claimed, {"import"}, min(slots, free))

    def _begin_attempts(self, worker: UUID, claimed: Sequence[Claimed], jobs: set[str], at_most: int) -> MultipleResults[Held]:
        may, taken = self.expected.claimable(worker, jobs), {c.id for c in claimed}
        assert len(claimed) == len(taken) == min(at_most, len(may))
        assert taken <= may
        due = {run: self.expected.rows[run].due for run in may}
        assert all(due[first] <= due[second] for first in taken for second in may - taken), "the longest due come first"
        got_in_order = sorted(claimed, key=lambda c: c.id)  # the database's order is its own business
        attempts = self.expected.claim(worker, [got.id for got in got_in_order])
        for held, got in zip(attempts, got_in_order, strict=True):
            row = self.expected.rows[held.run]
            assert got.attempt == held.attempt
            assert (got.failures, got.crashes, got.checkpoint) == (row.failures, row.crashes, _text(row.checkpoint))
        return multiple(*attempts)

    @rule(target=Requests.workers, worker=consumes(Requests.workers))
    def beat(self, worker: UUID) -> UUID:
        """A worker renews its lease. If it was lost, the worker goes on under a new id."""
        given = self.expected.given_to(worker)
        answer = self.do(runs.renew(self.conn, worker, lease=LEASE, held=[(h.run, h.attempt) for h in given]))
        assert (answer is not None) == self.expected.renew(worker)
        self.took("beat", "lost" if answer is None else "")
        if answer is None:
            return self._enlist()
        held = self.expected.held_by(worker)
        assert answer.claimed == len(given)
        assert answer.to_cancel == {h.run for h in held if self.expected.rows[h.run].cancel_requested}
        assert answer.gone == {h.run for h in given if h not in held}
        return worker

    @rule(worker=consumes(Requests.workers), how=st.sampled_from(["leaves", "leaves without knowing", "crashes"]))
    def depart(self, worker: UUID, how: str) -> None:
        """One that crashes renews and claims no more. What it had sent before may still arrive."""
        self.took("depart", how)
        if how == "crashes":
            self.expected.crashed.add(worker)
            return
        known = self.expected.given_to(worker) if how == "leaves" else []
        self.expected.leave(worker, known)
        self.do(self._leave(worker, known))

    async def _leave(self, worker: UUID, known: list[Held]) -> None:
        async with self.conn.transaction():
            await runs.leave(self.conn, worker, [(h.run, h.attempt) for h in known])

    @precondition(lambda self: self.expected.lapsed())
    @rule()
    def reap(self) -> None:
        expected = self.expected.reap()
        assert self.do(self._reap()) == expected
        self.took("reap", "some" if expected else "none")

    async def _reap(self) -> dict[UUID, runs.Status]:
        async with self.conn.transaction():
            return await runs.reap(self.conn, lease=0)

    @precondition(lambda self: self.has("workers"))
    @rule(spans=st.sampled_from([2, 1, 3, 4, OVERNIGHT]), frozen=st.lists(Requests.workers, min_size=1, max_size=2, unique=True))
    def advance(self, spans: int, frozen: list[UUID]) -> None:
        """Time passes. Workers that are frozen meanwhile go on afterwards as if nothing had been."""
        beating = self.expected.pass_(spans * SPAN, frozen)
        self.do(self.conn.execute(_LATER, spans * SPAN, list(beating)))
        self.took("advance", "overnight" if spans == OVERNIGHT else "")

    advance_more = advance

    # What attempts do: also those whose run was taken from them

    @rule(held=Requests.attempts, late=perhaps_late, processed=st.integers(1, 5))
    def flush(self, held: Held, late: list[Held], processed: int) -> None:
        self._flush([held, *late], processed)

    def _flush(self, some: list[Held], processed: int) -> None:
        held = self._one_of_each_run("flush", some)
        progress = json.dumps({"processed": processed, "total": TOTAL})
        for h in held:
            self.expected.happen(h.run, Progress(h.attempt, processed))
        self.do(runs.flush(self.conn, [Flushed((h.run, h.attempt), progress) for h in held]))

    @rule(held=Requests.attempts, late=perhaps_late, state=st.integers(1, 5))
    def checkpoint(self, held: Held, late: list[Held], state: int) -> None:
        self._checkpoint([held, *late], state)

    def _checkpoint(self, some: list[Held], state: int) -> None:
        held = self._one_of_each_run("checkpoint", some)
        stored = self.do(runs.save_checkpoints(self.conn, [((h.run, h.attempt), str(state)) for h in held]))
        assert stored == {h.run for h in held if self.expected.in_hands(h)}
        for h in held:
            self.expected.happen(h.run, Checkpoint(h.attempt, state))

    @rule(held=Requests.attempts, state=st.none() | st.integers(1, 5))
    def commit(self, held: Held, state: int | None) -> None:
        """The author's own transaction, with a checkpoint in it or without."""
        kept = self.expected.in_hands(held)
        assert self.do(self._commit(held, _text(state))) == kept
        if state is not None:
            self.expected.happen(held.run, Checkpoint(held.attempt, state))
        self.took("commit", "" if kept else "stale")

    async def _commit(self, held: Held, state: str | None) -> bool:
        async with self.conn.transaction():
            return await runs.fence(self.conn, (held.run, held.attempt), state)

    @rule(held=Requests.attempts, late=perhaps_late)
    def overdue(self, held: Held, late: list[Held]) -> None:
        self._overdue([held, *late])

    def _overdue(self, some: list[Held]) -> None:
        held = self._one_of_each_run("overdue", some)
        for h in held:
            self.expected.happen(h.run, Overdue(h.attempt))
        self.do(runs.mark_overdue(self.conn, [((h.run, h.attempt), "it was cancelled") for h in held]))

    @rule(
        target=Requests.gone,
        held=consumes(Requests.attempts),
        late=perhaps_late,
        said=st.sampled_from(get_args(Said)),
        delay=st.sampled_from([0.0, DELAY]),
    )
    def finish(self, held: Held, late: list[Held], said: Said, delay: float) -> Held:
        self._finish([held, *late], said, delay)
        return held

    def _finish(self, some: list[Held], said: Said, delay: float) -> None:
        held = self._one_of_each_run("finish", some)
        waits = delay if said == "retrying" else None
        finishes = [Finish(h.run, h.attempt, said, str(h.attempt), _error(said), _code(said), delay=waits) for h in held]
        expected = self.expected.finish([(h, model.Finish(h.attempt, said, delay)) for h in held])
        assert self.do(runs.finish(self.conn, finishes)) == expected
        self.took(f"finish {said}")

    @rule(target=Requests.gone, held=consumes(Requests.attempts), late=perhaps_late)
    def release(self, held: Held, late: list[Held]) -> Held:
        self._release([held, *late])
        return held

    def _release(self, some: list[Held]) -> None:
        for h in some:
            self.took("release", "in time" if self.expected.in_hands(h) else "stale")
        forgiven = self.expected.release(some)
        self.took("release", "forgiven" if forgiven else "")
        self.do(runs.release(self.conn, [(h.run, h.attempt) for h in some]))

    @rule(target=Requests.gone, held=consumes(Requests.attempts), late=perhaps_late)
    def take_back(self, held: Held, late: list[Held]) -> Held:
        self._take_back([held, *late])
        return held

    def _take_back(self, some: list[Held]) -> None:
        held = self._one_of_each_run("take_back", some)
        crashes = [runs.Crash(h.run, h.attempt, "its process died") for h in held]
        expected = {h.run: self.expected.rows[h.run].status for h in held if self.expected.happen(h.run, Crash(h.attempt))}
        assert self.do(runs.take_back(self.conn, crashes)) == expected

    # What has ended is told once more, or differently

    @rule(some=late_attempts, said=st.sampled_from(get_args(Said)))
    def finish_late(self, some: list[Held], said: Said) -> None:
        self._finish(some, said, 0.0)

    @rule(some=late_attempts, verb=st.sampled_from(["release", "flush", "checkpoint", "overdue", "take_back"]))
    def write_late(self, some: list[Held], verb: str) -> None:
        match verb:
            case "release":
                self._release(some)
            case "flush":
                self._flush(some, 6)
            case "checkpoint":
                self._checkpoint(some, 6)
            case "overdue":
                self._overdue(some)
            case _:
                self._take_back(some)

    def _one_of_each_run(self, name: str, some: list[Held]) -> list[Held]:
        """As a worker sends them: one statement changes a row once."""
        held = list({h.run: h for h in some}.values())
        for h in held:
            self.took(name, "in time" if self.expected.in_hands(h) else "stale")
        return held


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)


def _error(said: Said) -> str | None:
    return "it failed" if said in ("failed", "retrying") else None


def _code(said: Said) -> str | None:
    return "handler_failed" if said in ("failed", "retrying") else None
