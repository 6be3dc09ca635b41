"""The verbs of this room on PostgreSQL, in any order, held against the model after each step.

Time passes by setting every stored time back. All spans are chosen so that no two moments that are compared come nearer to each
other than 20 seconds: how long a step really takes decides nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, Final, NamedTuple, TypeVar, get_args
from uuid import UUID

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)
from tests.runs import model
from tests.runs.conftest import app
from tests.runs.expected import NOW, Asked, Expected, Held, Slot
from tests.runs.model import ENDED, LEASE, TOTAL, Checkpoint, Crash, Fact, Overdue, Progress, Said, tell

from tawny import access, runs
from tawny.access import Actor, Authenticator
from tawny.db.ids import uuid7
from tawny.db.pool import Connection
from tawny.errors import Conflict, IdempotencyMisuse, InvalidRequest, NotFound, RequestError, Unauthenticated
from tawny.runs import Claimed, Finish, Flushed, Triggered

T = TypeVar("T")

SPAN: Final = 40.0
"""Time passes in multiples of this, which meet neither the end of a lease nor the next."""
OVERNIGHT: Final = 2161
"""So many spans later idempotency keys are forgotten."""
DELAY: Final = 100.0
PLACES: Final = {"import": 1}

WHAT = st.sampled_from([("export", None), ("import", None), ("report", "2026-01"), ("report", "2026-02")])
KEYS = st.sampled_from([None, None, None, "k", "l", "m"])

SEEN: Final = """
select json_build_object(
    'runs', (
        select coalesce(json_object_agg(r.id, json_build_object(
            'status', status, 'attempt', attempt, 'failures', failures, 'crashes', crashes,
            'cancel_requested', cancel_requested_at is not null, 'worker', worker_id,
            'progress', progress -> 'processed', 'checkpoint', checkpoint, 'result', result,
            'due', extract(epoch from run_at - clock_timestamp()), 'last_seq', last_seq,
            'facts', (
                select json_agg(json_build_array(seq, kind, attempt) order by seq) from run_events as e where e.run_id = r.id
            )
        )), '{}')
        from job_runs as r
    ),
    'workers', (
        select coalesce(json_object_agg(id, json_build_array(leased_until > clock_timestamp(), claimed)), '{}') from workers
    ),
    'ended', (select coalesce(sum(runs), 0) from run_totals),
    'crowded', (
        select count(*) from (
            select from job_runs where outcome is null group by team_id, project_id, job_type, unique_key having count(*) > 1
        ) as slots
    ),
    'seated', (select count(*) from job_runs where status = 'running' and job_type = 'import')
)
"""

_EMPTY = "".join(
    f"delete from {table};"
    for table in (
        "run_events",
        "job_runs",
        "job_places",
        "run_totals",
        "idempotency_keys",
        "workers",
        "api_keys",
        "projects",
        "teams",
    )
)

_LATER = """
with w as (update workers set leased_until = leased_until - make_interval(secs => $1) where id <> all ($2)),
r as (update job_runs set run_at = run_at - make_interval(secs => $1) where outcome is null)
update idempotency_keys set created_at = created_at - make_interval(secs => $1)
"""


What = tuple[str, str | None]
"""A job type, and the month that it is asked for."""


class Agent(NamedTuple):
    id: UUID
    text: str


class Begun(NamedTuple):
    projects: list[UUID]
    workers: list[UUID]
    asked: list[UUID]
    attempt: Held
    lost: list[Held]


class OneConnection:
    """A pool for who asks one question at a time."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        yield self._conn


class AllEnabled:
    def is_enabled(self, _rule: str) -> bool:
        return True


class Machine(RuleBasedStateMachine):
    """Teams ask for runs, workers work, die, freeze and come back, and time passes."""

    projects = Bundle("projects")
    deleted = Bundle("deleted")
    agents = Bundle("agents")
    revoked = Bundle("revoked")
    workers = Bundle("workers")
    asked = Bundle("runs")
    attempts = Bundle("attempts")
    gone = Bundle("gone")
    """Attempts that ended. What they send is late: a reply was lost, or they did not know."""

    perhaps_late = st.lists(gone, max_size=1)
    late_attempts = st.lists(gone, min_size=1, max_size=2, unique=True)

    def __init__(self, loop: asyncio.AbstractEventLoop, conn: Connection, taken: Counter[str]) -> None:
        super().__init__()
        self.loop = loop
        self.conn = conn
        # Hypothesis leaves most rules out of most examples, and a run's life needs nearly all of them to get anywhere.
        self._rules_strategy.enabled_rules_strategy = st.just(AllEnabled())
        self.taken = taken
        self.expected = Expected()
        self.team, user = uuid7(), uuid7()
        self.actor = Actor("user", user, roles={self.team: "owner"}, user_id=user)
        # Its clock jumps, so that it believes nothing that it knew at the step before.
        self.authenticator = Authenticator(OneConnection(conn), b"s" * 32, clock=map(float, count()).__next__)
        self.do(self._begin())
        self.begun = self._begin_work()

    def teardown(self) -> None:
        for row in self.expected.rows.values():
            if row.ended:
                self.took("ended", row.status)
            if row.crashes == model.CRASHES:
                self.took("poisoned")

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def _has(self, bundle: str) -> int:
        return len(self.bundles.get(bundle, ()))

    def took(self, name: str, outcome: object = "") -> None:
        self.taken[f"{name} {outcome}".strip()] += 1

    async def _begin(self) -> None:
        await self.conn.execute(_EMPTY)
        await self.conn.execute("insert into teams (id, name, slug) values ($1, 'T', 't')", self.team)
        await runs.set_places(self.conn, PLACES)

    def _begin_work(self) -> Begun:
        """So much there is before the first step that every rule has something to do."""
        project, other = self._new_project(), self._new_project()
        workers = [self._enlist(), self._enlist()]
        slots = [Slot(project, "export"), Slot(other, "export"), Slot(project, "import")]
        asked = [run for slot in slots for run in self._trigger("trigger", self.actor, slot, None).values]
        lost = [self._lose_one(workers[0]) for _ in range(model.CRASHES - 1)]
        (attempt,) = self.claim(workers[0], 1).values
        return Begun([project, other], workers, asked, attempt, lost)

    def _lose_one(self, worker: UUID) -> Held:
        (held,) = self.claim(worker, 1).values
        self._take_back([held])
        return held

    # What there is

    @initialize(target=projects)
    def begin_with_projects(self) -> MultipleResults[UUID]:
        return multiple(*self.begun.projects)

    @initialize(target=workers)
    def begin_with_workers(self) -> MultipleResults[UUID]:
        return multiple(*self.begun.workers)

    @initialize(target=asked)
    def begin_with_runs(self) -> MultipleResults[UUID]:
        return multiple(*self.begun.asked)

    @initialize(target=attempts)
    def begin_with_an_attempt(self) -> Held:
        return self.begun.attempt

    @initialize(target=gone)
    def begin_with_lost_attempts(self) -> MultipleResults[Held]:
        return multiple(*self.begun.lost)

    def _new_project(self) -> UUID:
        project = uuid7()
        insert = "insert into projects (id, team_id, name, slug, color) values ($1, $2, 'P', $3, '#000000')"
        self.do(self.conn.execute(insert, project, self.team, str(project)))
        return project

    @rule(target=deleted, project=consumes(projects))
    def delete_project(self, project: UUID) -> UUID:
        self.do(self.conn.execute("update projects set deleted_at = now() where id = $1", project))
        self.expected.deleted.add(project)
        self.took("delete_project")
        return project

    @precondition(lambda self: self._has("projects") < 2)
    @rule(target=projects)
    def new_project(self) -> UUID:
        self.took("new_project")
        return self._new_project()

    @precondition(lambda self: self._has("agents") < 1)
    @rule(target=agents)
    def new_agent(self) -> Agent:
        make = access.create_key(self.conn, Actor.host(), self.team, name="A", permissions=["jobs:write"])
        key, text = self.do(make)
        self.took("new_agent")
        return Agent(key.id, text)

    @rule(target=revoked, agent=consumes(agents))
    def revoke(self, agent: Agent) -> Agent:
        self.do(access.revoke_key(self.conn, self.actor, agent.id))
        self.took("revoke")
        return agent

    # Runs are asked for

    @rule(target=asked, project=projects, what=WHAT, key=KEYS)
    def trigger(self, project: UUID, what: What, key: str | None) -> MultipleResults[UUID]:
        return self._trigger("trigger", self.actor, Slot(project, *what), key)

    trigger_more = trigger  # twice as often

    @rule(project=deleted, what=WHAT, key=KEYS)
    def trigger_in_deleted_project(self, project: UUID, what: What, key: str | None) -> None:
        made = self._trigger("trigger_in_deleted_project", self.actor, Slot(project, *what), key)
        assert not made.values

    @rule(target=asked, agent=agents, project=projects, what=WHAT, key=KEYS)
    def trigger_as_agent(self, agent: Agent, project: UUID, what: What, key: str | None) -> MultipleResults[UUID]:
        actor = self.do(self.authenticator.actor(f"Bearer {agent.text}"))
        return self._trigger("trigger_as_agent", actor, Slot(project, *what), key)

    @rule(agent=revoked)
    def trigger_with_revoked_key(self, agent: Agent) -> None:
        with pytest.raises(Unauthenticated):
            self.do(self.authenticator.actor(f"Bearer {agent.text}"))
        self.took("trigger_with_revoked_key")

    def _trigger(self, name: str, actor: Actor, slot: Slot, key: str | None) -> MultipleResults[UUID]:
        params = {"month": slot.month} if slot.month else {}
        job, project = app.jobs[slot.job], slot.project
        ask = runs.trigger(self.conn, actor, job, team_id=self.team, project_id=project, params=params, idempotency_key=key)
        return self._made(name, Asked(slot), key, ask)

    @rule(target=asked, run=asked, key=KEYS)
    def retry(self, run: UUID, key: str | None) -> MultipleResults[UUID]:
        ask = runs.retry(self.conn, self.actor, run, app.jobs, idempotency_key=key)
        if self.expected.rows[run].ended:
            return self._made("retry", Asked(self.expected.slots[run], run), key, ask)
        outcome, _ = self._answer(ask)
        assert outcome == "not_ended"
        self.took("retry", outcome)
        return multiple()

    def _made(self, name: str, asked: Asked, key: str | None, ask: Coroutine[Any, Any, Triggered]) -> MultipleResults[UUID]:
        expected = self.expected.answer_to(asked, key)
        outcome, run = self._answer(ask)
        self.took(name, outcome)
        if outcome != "made":
            assert (outcome, run) == expected
            return multiple()
        assert expected == ("made", None), f"a run was made; expected: {expected}"
        assert run
        self.expected.made(run, asked, key)
        return multiple(run)

    def _answer(self, ask: Coroutine[Any, Any, Triggered]) -> tuple[str, UUID | None]:
        try:
            triggered = self.do(ask)
        except NotFound:
            return "not found", None
        except IdempotencyMisuse:
            return "misused", None
        except Conflict as conflict:
            return "conflict", UUID(conflict.details["existing_run_id"])
        except RequestError as error:
            return error.code, None
        return "replayed" if triggered.replayed else "made", triggered.id

    @rule(run=asked, include_pending=st.booleans())
    def cancel(self, run: UUID, include_pending: bool) -> None:
        expected = self.expected.cancel(run, include_pending)
        ask = runs.cancel(self.conn, self.actor, run, include_pending=include_pending)
        if expected[0] == "refused":
            with pytest.raises(InvalidRequest, match="run can be cancelled; this one is"):
                self.do(ask)
        else:
            assert self.do(ask) == expected[1]
        self.took("cancel", expected[0])

    @rule(one=asked, more=st.lists(asked, max_size=1))
    def cancel_many(self, one: UUID, more: list[UUID]) -> None:
        some = {one, *more}
        outcomes = [self.expected.cancel(run, include_pending=True) for run in some]
        kinds = Counter(outcome for outcome, _ in outcomes)
        cancelled = self.do(runs.cancel_many(self.conn, self.team, list(some), by="test"))
        assert (cancelled.ended, cancelled.asked) == (kinds["ended"], kinds["asked"])
        assert cancelled.worker_ids == {worker for _, worker in outcomes if worker}
        self.took("cancel_many")

    # Workers

    @precondition(lambda self: self._has("workers") < 3)
    @rule(target=workers)
    def enlist(self) -> UUID:
        self.took("enlist")
        return self._enlist()

    def _enlist(self) -> UUID:
        worker = self.do(runs.enlist(self.conn, name="test:1", version="0", lease=LEASE))
        self.expected.enlist(worker)
        return worker

    @precondition(lambda self: self.expected.waiting("export", "report"))
    @rule(target=attempts, worker=workers, slots=st.integers(1, 3))
    def claim(self, worker: UUID, slots: int) -> MultipleResults[Held]:
        claimed = self.do(runs.claim(self.conn, worker, job_types=["export", "report"], slots=slots))
        return self._begun("claim", worker, {"export", "report"}, slots, claimed)

    claim_more = claim

    @precondition(lambda self: self.expected.waiting("import"))
    @rule(target=attempts, worker=workers, slots=st.integers(1, 2))
    def claim_seated(self, worker: UUID, slots: int) -> MultipleResults[Held]:
        free = PLACES["import"] - self.expected.running("import")
        claimed = self.do(runs.claim_seated(self.conn, worker, limits=PLACES, slots=slots))
        return self._begun("claim_seated", worker, {"import"}, min(slots, free), claimed)

    def _begun(self, name: str, worker: UUID, jobs: set[str], slots: int, claimed: Sequence[Claimed]) -> MultipleResults[Held]:
        may, taken = self.expected.claimable(worker, jobs), {c.id for c in claimed}
        assert len(claimed) == len(taken) == min(slots, len(may))
        assert taken <= may
        due = {run: self.expected.rows[run].due for run in may}
        assert all(due[first] <= due[second] for first in taken for second in may - taken), "the longest due come first"
        held = self.expected.claim(worker, [c.id for c in claimed])
        for attempt, got in zip(held, claimed, strict=True):
            row = self.expected.rows[got.id]
            assert got.attempt == attempt.attempt
            assert (got.failures, got.crashes, got.checkpoint) == (row.failures, row.crashes, _text(row.checkpoint))
        self.took(name, "some" if claimed else "none")
        return multiple(*held)

    @rule(target=workers, worker=consumes(workers))
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

    @rule(worker=consumes(workers), how=st.sampled_from(["leaves", "leaves without knowing", "crashes"]))
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

    @precondition(lambda self: self._has("workers"))
    @rule(spans=st.sampled_from([2, 1, 3, 4, OVERNIGHT]), frozen=st.lists(workers, min_size=1, max_size=2, unique=True))
    def advance(self, spans: int, frozen: list[UUID]) -> None:
        """Time passes. Workers that are frozen meanwhile go on afterwards as if nothing had been."""
        beating = self.expected.pass_(spans * SPAN, frozen)
        self.do(self.conn.execute(_LATER, spans * SPAN, list(beating)))
        self.took("advance", "overnight" if spans == OVERNIGHT else "")

    advance_more = advance

    # What attempts do: also those whose run was taken from them

    @rule(held=attempts, late=perhaps_late, processed=st.integers(1, 5))
    def flush(self, held: Held, late: list[Held], processed: int) -> None:
        self._flush([held, *late], processed)

    def _flush(self, some: list[Held], processed: int) -> None:
        held = self._one_of_each_run("flush", some)
        progress = json.dumps({"processed": processed, "total": TOTAL})
        for h in held:
            self.expected.happen(h.run, Progress(h.attempt, processed))
        self.do(runs.flush(self.conn, [Flushed((h.run, h.attempt), progress) for h in held]))

    @rule(held=attempts, late=perhaps_late, state=st.integers(1, 5))
    def checkpoint(self, held: Held, late: list[Held], state: int) -> None:
        self._checkpoint([held, *late], state)

    def _checkpoint(self, some: list[Held], state: int) -> None:
        held = self._one_of_each_run("checkpoint", some)
        stored = self.do(runs.save_checkpoints(self.conn, [((h.run, h.attempt), str(state)) for h in held]))
        assert stored == {h.run for h in held if self.expected.in_hands(h)}
        for h in held:
            self.expected.happen(h.run, Checkpoint(h.attempt, state))

    @rule(held=attempts, state=st.none() | st.integers(1, 5))
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

    @rule(held=attempts, late=perhaps_late)
    def overdue(self, held: Held, late: list[Held]) -> None:
        self._overdue([held, *late])

    def _overdue(self, some: list[Held]) -> None:
        held = self._one_of_each_run("overdue", some)
        for h in held:
            self.expected.happen(h.run, Overdue(h.attempt))
        self.do(runs.mark_overdue(self.conn, [((h.run, h.attempt), "it was cancelled") for h in held]))

    @rule(
        target=gone,
        held=consumes(attempts),
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

    @rule(target=gone, held=consumes(attempts), late=perhaps_late)
    def release(self, held: Held, late: list[Held]) -> Held:
        self._release([held, *late])
        return held

    def _release(self, some: list[Held]) -> None:
        for h in some:
            self.took("release", "in time" if self.expected.in_hands(h) else "stale")
        forgiven = self.expected.release(some)
        self.took("release", "forgiven" if forgiven else "")
        self.do(runs.release(self.conn, [(h.run, h.attempt) for h in some]))

    @rule(target=gone, held=consumes(attempts), late=perhaps_late)
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

    # What holds after each step

    @invariant()
    def all_is_as_it_should_be(self) -> None:
        self.taken["steps"] += 1
        seen = json.loads(self.do(self.conn.fetchval(SEEN)))
        for run, row in seen["runs"].items():
            _is_lawful(row)
            self._is_as_expected(UUID(run), row)
        assert len(seen["runs"]) == len(self.expected.rows), "runs are there that nobody asked for, or are gone"
        assert seen["crowded"] == 0, "I3: two active runs share a slot"
        assert seen["seated"] <= PLACES["import"], "more runs of a limited type run than it has places"
        assert seen["ended"] == sum(row.ended for row in self.expected.rows.values()), "not every end was counted once"
        self._workers_are_as_expected(seen["workers"])

    def _is_as_expected(self, run: UUID, seen: dict[str, Any]) -> None:
        row, facts = self.expected.rows[run], self.expected.facts[run]
        assert [Fact(kind, attempt) for _, kind, attempt in seen["facts"]] == facts, "other facts than expected"
        for name in ("status", "attempt", "failures", "crashes", "cancel_requested", "progress", "checkpoint"):
            assert seen[name] == getattr(row, name), f"{name} is {seen[name]}, expected: {row}"
        assert seen["worker"] == (row.lease and str(row.lease.worker)), f"worker is {seen['worker']}, expected: {row}"
        if row.status == "pending":
            assert abs(float(seen["due"]) - row.due) < SPAN / 4, f"due in {seen['due']}, expected: {row}"

    def _workers_are_as_expected(self, seen: dict[str, Any]) -> None:
        expected = {
            str(worker): [not lease.lapsed(NOW), len(self.expected.given_to(worker))]
            for worker, lease in self.expected.leases.items()
        }
        assert seen == expected


def _is_lawful(row: dict[str, Any]) -> None:
    """I2 and I4: facts follow each other as the table says, so that a run ends once, and nothing that an attempt does comes after
    the start of the next. I5: what a run resulted in was said by the attempt that ended it."""
    assert [seq for seq, _, _ in row["facts"]] == list(range(1, row["last_seq"] + 1)), "the facts are not numbered without gaps"
    told = tell(Fact(kind, attempt) for _, kind, attempt in row["facts"])
    assert told[:3] == (row["status"], row["attempt"], row["cancel_requested"]), f"facts tell of {told}"
    assert row["result"] in (None, row["attempt"]), "I5: the result of another attempt"
    assert row["status"] in ENDED or row["result"] is None, "I5: a result before the end"


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)


def _error(said: Said) -> str | None:
    return "it failed" if said in ("failed", "retrying") else None


def _code(said: Said) -> str | None:
    return "handler_failed" if said in ("failed", "retrying") else None
