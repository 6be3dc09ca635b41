"""Rules of those who ask: for runs, for other runs' end, and for access."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import MultipleResults, consumes, multiple, precondition, rule
from tests.runs.conftest import app
from tests.runs.expected import Asked, Slot
from tests.runs.stage import Stage

from tawny import access, runs
from tawny.access import Actor, Authenticator
from tawny.db.ids import uuid7
from tawny.db.pool import Connection
from tawny.errors import Conflict, IdempotencyMisuse, InvalidRequest, NotFound, RequestError, Unauthenticated
from tawny.runs import Triggered

WHAT = st.sampled_from([("export", None), ("import", None), ("report", "2026-01"), ("report", "2026-02")])
KEYS = st.sampled_from([None, None, None, "k", "l", "m"])

What = tuple[str, str | None]
"""A job type, and the month that it is asked for."""


class Agent(NamedTuple):
    id: UUID
    text: str


class OneConnection:
    """A pool for who asks one question at a time."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        yield self._conn


class Requests(Stage):
    def make_project(self) -> UUID:
        project = uuid7()
        insert = "insert into projects (id, team_id, name, slug, color) values ($1, $2, 'P', $3, '#000000')"
        self.do(self.conn.execute(insert, project, self.team, str(project)))
        return project

    @precondition(lambda self: len(self.expected.rows) > 5)  # late, since with it ends most of what else there is to do
    @rule(target=Stage.deleted, project=consumes(Stage.projects))
    def delete_project(self, project: UUID) -> UUID:
        active = [run for run, slot in self.expected.slots.items() if slot.project == project and self.expected.is_active(run)]
        outcomes = [self.expected.cancel(run, include_pending=True) for run in active]
        workers = self.do(runs.delete_project(self.conn, self.actor, project))
        assert workers == {worker for _, worker in outcomes if worker}
        self.expected.deleted.add(project)
        self.took("delete_project")
        for outcome, _ in outcomes:
            self.took("delete_project", outcome)
        return project

    @precondition(lambda self: self.has("projects") < 2)
    @rule(target=Stage.projects)
    def new_project(self) -> UUID:
        self.took("new_project")
        return self.make_project()

    @precondition(lambda self: self.has("agents") < 1)
    @rule(target=Stage.agents)
    def new_agent(self) -> Agent:
        make = access.create_key(self.conn, Actor.host(), self.team, name="A", permissions=["jobs:write"])
        key, text = self.do(make)
        self.took("new_agent")
        return Agent(key.id, text)

    @rule(target=Stage.revoked, agent=consumes(Stage.agents))
    def revoke(self, agent: Agent) -> Agent:
        self.do(access.revoke_key(self.conn, self.actor, self.team, agent.id))
        self.took("revoke")
        return agent

    # Runs are asked for

    @rule(target=Stage.asked, project=Stage.projects, what=WHAT, key=KEYS)
    def trigger(self, project: UUID, what: What, key: str | None) -> MultipleResults[UUID]:
        return self.ask_for("trigger", self.actor, Slot(project, *what), key)

    trigger_more = trigger  # twice as often

    @rule(project=Stage.deleted, what=WHAT, key=KEYS)
    def trigger_in_deleted_project(self, project: UUID, what: What, key: str | None) -> None:
        made = self.ask_for("trigger_in_deleted_project", self.actor, Slot(project, *what), key)
        assert not made.values

    @rule(target=Stage.asked, agent=Stage.agents, project=Stage.projects, what=WHAT, key=KEYS)
    def trigger_as_agent(self, agent: Agent, project: UUID, what: What, key: str | None) -> MultipleResults[UUID]:
        actor = self._authenticate(agent)
        return self.ask_for("trigger_as_agent", actor, Slot(project, *what), key)

    @rule(agent=Stage.revoked)
    def trigger_with_revoked_key(self, agent: Agent) -> None:
        with pytest.raises(Unauthenticated):
            self._authenticate(agent)
        self.took("trigger_with_revoked_key")

    def _authenticate(self, agent: Agent) -> Actor:
        # Its clock jumps, so that it believes nothing that it knew before.
        authenticator = Authenticator(OneConnection(self.conn), b"s" * 32, clock=map(float, count()).__next__)
        return self.do(authenticator.actor(f"Bearer {agent.text}"))

    def ask_for(self, name: str, actor: Actor, slot: Slot, key: str | None) -> MultipleResults[UUID]:
        params = {"month": slot.month} if slot.month else {}
        job, project = app.jobs[slot.job], slot.project
        ask = runs.trigger(self.conn, actor, job, team_id=self.team, project_id=project, params=params, idempotency_key=key)
        return self._made(name, Asked(slot), key, ask)

    @rule(target=Stage.asked, run=Stage.asked, key=KEYS)
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

    @rule(run=Stage.asked, include_pending=st.booleans())
    def cancel(self, run: UUID, include_pending: bool) -> None:
        expected = self.expected.cancel(run, include_pending)
        ask = runs.cancel(self.conn, self.actor, run, include_pending=include_pending)
        if expected[0] == "refused":
            with pytest.raises(InvalidRequest, match="run can be cancelled; this one is"):
                self.do(ask)
        else:
            assert self.do(ask) == expected[1]
        self.took("cancel", expected[0])

    @rule(one=Stage.asked, more=st.lists(Stage.asked, max_size=1))
    def cancel_many(self, one: UUID, more: list[UUID]) -> None:
        some = {one, *more}
        outcomes = [self.expected.cancel(run, include_pending=True) for run in some]
        kinds = Counter(outcome for outcome, _ in outcomes)
        cancelled = self.do(runs.cancel_many(self.conn, self.team, list(some), by="test"))
        assert (cancelled.ended, cancelled.asked) == (kinds["ended"], kinds["asked"])
        assert cancelled.worker_ids == {worker for _, worker in outcomes if worker}
        self.took("cancel_many")
