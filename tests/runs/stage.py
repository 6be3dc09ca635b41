"""What the machine stands on: a database with a team in it, what is expected, and what has to hold after each step."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Coroutine
from typing import Any, Final, TypeVar
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant
from tests.conftest import EMPTY
from tests.runs import model
from tests.runs.expected import NOW, Expected
from tests.runs.model import ENDED, Fact, tell

from tawny import runs
from tawny.access import Actor
from tawny.db.ids import uuid7
from tawny.db.pool import Connection

T = TypeVar("T")

SPAN: Final = 40.0
"""Time passes in multiples of this, which meet neither the end of a lease nor the next."""
OVERNIGHT: Final = 2161
"""So many spans later idempotency keys are forgotten."""
DELAY: Final = 100.0
PLACES: Final = {"import": 1}

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

_BEGIN = "insert into teams (id, name, slug) values ($1, 'T', 't')"


class AllEnabled:
    def is_enabled(self, _rule: str) -> bool:
        return True


class Stage(RuleBasedStateMachine):
    """Rules call verbs with `do` and tell `expected` of it; what they took, and with what outcome, is counted in `taken`."""

    projects = Bundle("projects")
    deleted = Bundle("deleted")
    agents = Bundle("agents")
    revoked = Bundle("revoked")
    asked = Bundle("runs")
    workers = Bundle("workers")
    attempts = Bundle("attempts")
    gone = Bundle("gone")
    """Attempts that ended. What they send is late: a reply was lost, or they did not know."""

    def __init__(self, loop: asyncio.AbstractEventLoop, conn: Connection, taken: Counter[str]) -> None:
        super().__init__()
        # Hypothesis leaves most rules out of most examples, and a run's life needs nearly all of them to get anywhere.
        self._rules_strategy.enabled_rules_strategy = st.just(AllEnabled())
        self.loop = loop
        self.conn = conn
        self.taken = taken
        self.expected = Expected()
        self.team, user = uuid7(), uuid7()
        self.actor = Actor("user", user, roles={self.team: "owner"}, user_id=user)
        self.do(self._begin())

    async def _begin(self) -> None:
        await self.conn.execute(EMPTY)
        await self.conn.execute(_BEGIN, self.team)
        await runs.set_places(self.conn, PLACES)

    def teardown(self) -> None:
        for row in self.expected.rows.values():
            if row.ended:
                self.took("ended", row.status)
            if row.crashes == model.CRASHES:
                self.took("poisoned")

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def took(self, name: str, outcome: object = "") -> None:
        self.taken[f"{name} {outcome}".strip()] += 1

    def has(self, bundle: str) -> int:
        return len(self.bundles.get(bundle, ()))

    @invariant()
    def all_is_as_it_should_be(self) -> None:
        self.taken["steps"] += 1
        seen = json.loads(self.do(self.conn.fetchval(SEEN)))
        assert seen["crowded"] == 0, "I3: two active runs share a slot"
        assert seen["seated"] <= PLACES["import"], "more runs of a limited type run than it has places"
        for row in seen["runs"].values():
            _is_lawful(row)
        for run, row in seen["runs"].items():
            self._is_as_expected(UUID(run), row)
        assert len(seen["runs"]) == len(self.expected.rows), "runs are there that nobody asked for, or are gone"
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
