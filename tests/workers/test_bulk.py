"""A bulk action acts once on each run that it is about, whatever happens to it on its way."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from tests.waiting import until

from tawny import Run, builtin, runs
from tawny.builtin import Action, act
from tawny.config import Settings
from tawny.db.ids import uuid7
from tawny.db.pool import Pool
from tawny.runs import Filter

RUNS = 1_000

_FILL = """
insert into job_runs (id, team_id, project_id, job_type, status, triggered_by, params, unique_key, notify, completed_at)
select gen_random_uuid(), $1, $2, 'report', $3, 'schedule', jsonb_build_object('month', n), n::text, n % 2 = 0,
    case $3 when 'failed' then now() end
from generate_series(1, $4) as n
"""


class Bulk:
    """A thousand runs of one team, and bulk actions on them."""

    def __init__(self, floor: Any) -> None:
        self.floor = floor

        @floor.app.job("report", unique_by=("month",))
        async def report(run: Run, month: int) -> None: ...

    async def fill(self, status: str) -> None:
        project_id = await self.floor.conn.fetchval(
            "insert into projects (id, team_id, name, slug, color) values ($1, $2, 'P', 'p', '#000000') returning id",
            uuid7(),
            self.floor.team_id,
        )
        await self.floor.conn.execute(_FILL, self.floor.team_id, project_id, status, RUNS)

    async def ask(self, action: Action, **where: Any) -> UUID:
        asked = await builtin.ask(self.floor.conn, self.floor.actor, self.floor.team_id, action, Filter(**where))
        assert asked.run is not None
        return asked.run.id

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """A worker for bulk actions only: what they make stays as they made it."""
        async with self.floor.working(job_types=[], builtin=builtin.jobs_beside(self.floor.app.jobs, Settings())):
            yield

    async def retries(self) -> Counter[UUID]:
        """How often each run was retried."""
        rows = await self.floor.conn.fetch("select retry_of, count(*) as n from job_runs where retry_of is not null group by 1")
        return Counter({row["retry_of"]: row["n"] for row in rows})

    async def everything(self) -> set[UUID]:
        rows = await self.floor.conn.fetch("select id from job_runs where status = 'failed'")
        return {row["id"] for row in rows}

    async def was_done(self, run_id: UUID, **result: object) -> dict[str, Any]:
        row: dict[str, Any] = await self.floor.ended(run_id)
        assert (row["status"], json.loads(row["result"])) == ("completed", {"processed": RUNS, "skipped": {}, **result}), row[
            "error"
        ]
        assert json.loads(row["progress"]) == {"processed": RUNS, "total": RUNS}
        return row


@pytest.fixture
def bulk(floor) -> Bulk:
    return Bulk(floor)


Verb = Callable[..., Awaitable[Any]]


def wrap(monkeypatch: pytest.MonkeyPatch, name: str, wrapper: Callable[[Verb], Verb]) -> None:
    """Put something around the verb of the room of runs that acts on a batch."""
    monkeypatch.setattr(runs, name, wrapper(getattr(runs, name)))


async def test_each_run_is_retried_once(bulk: Bulk) -> None:
    await bulk.fill("failed")
    everything = await bulk.everything()
    async with bulk.working():
        run_id = await bulk.ask("retry")
        await bulk.was_done(run_id, retried=RUNS)
    assert await bulk.retries() == dict.fromkeys(everything, 1)
    by = await bulk.floor.conn.fetch("select distinct triggered_by, status from job_runs where retry_of is not null")
    assert by == [(f"manual:{bulk.floor.actor.label}", "pending")]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["it raises", "another attempt has it"])
async def test_a_crash_in_the_middle_neither_loses_nor_doubles(
    bulk: Bulk, pool: Pool, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    floor, batches = bulk.floor, 0
    take_away = "update job_runs set attempt = attempt + 1, status = 'pending', worker_id = null, started_at = null where id = $1"

    def crashing(retry_many: Verb) -> Verb:
        async def in_the_third_batch(*args: Any, **more: Any) -> Any:
            nonlocal batches
            batches += 1
            fates = await retry_many(*args, **more)
            if batches == 3 and how == "it raises":
                raise ZeroDivisionError
            if batches == 3:
                async with pool.acquire() as conn:
                    await conn.execute(take_away, run_id)
            return fates

        return in_the_third_batch

    wrap(monkeypatch, "retry_many", crashing)
    await bulk.fill("failed")
    everything = await bulk.everything()
    run_id = await bulk.ask("retry")
    async with bulk.working():
        if how == "it raises":
            await floor.fact(run_id, "retrying")
            assert len(await bulk.retries()) == 400, "the third batch was rolled back"
            await floor.make_due(run_id)
        row = await bulk.was_done(run_id, retried=RUNS)
    assert row["attempt"] > 1
    assert batches == 2 + 1 + 3 + 1, "what was committed was not done again; the last batch is empty"
    assert await bulk.retries() == dict.fromkeys(everything, 1)


async def test_a_batch_costs_few_statements(bulk: Bulk, monkeypatch: pytest.MonkeyPatch) -> None:
    statements: list[str] = []

    def logging(walk: Verb) -> Verb:
        async def logged(conn: Any, *args: Any, **more: Any) -> Any:
            if not statements:
                conn.add_query_logger(lambda record: statements.append(record.query))
                statements.append("BEGIN;")  # of the first batch, which had begun
            return await walk(conn, *args, **more)

        return logged

    wrap(monkeypatch, "walk", logging)
    await bulk.fill("failed")
    async with bulk.working():
        await bulk.was_done(await bulk.ask("retry"), retried=RUNS)
    begun = [number for number, statement in enumerate(statements) if statement.startswith("BEGIN")]
    assert len(begun) == RUNS // act.BATCH + 1, "the last batch is empty"
    costs = [after - before for before, after in pairwise(begun)]
    assert max(costs[1:]) <= 7, statements  # in the first one asyncpg also asks what the types of arrays are


async def test_a_cancel_ends_pending_runs_and_stops_running_ones(bulk: Bulk) -> None:
    floor = bulk.floor
    await bulk.fill("pending")
    worker_id = await runs.enlist(floor.conn, name="test:1", version="0", lease=60)
    held = await runs.claim(floor.conn, worker_id, job_types=["report"], slots=300)
    async with bulk.working():
        await bulk.was_done(await bulk.ask("cancel"), cancelled=RUNS - len(held), asked_to_stop=len(held))
    renewed = await runs.renew(floor.conn, worker_id, lease=60, held=[(claimed.id, claimed.attempt) for claimed in held])
    assert renewed.to_cancel == {claimed.id for claimed in held}
    kinds = await floor.conn.fetch("select kind, count(*) from run_events where data ->> 'by' = $1 group by 1", floor.actor.label)
    assert kinds == [("cancel_requested", RUNS)]


async def test_it_leaves_alone_what_is_made_after_the_request(bulk: Bulk) -> None:
    await bulk.fill("pending")
    run_id = await bulk.ask("cancel")
    await bulk.floor.conn.execute("select pg_sleep(0.002)")  # its clock counts milliseconds
    later = await bulk.floor.trigger("report", month=1)
    async with bulk.working():
        await bulk.was_done(run_id, cancelled=RUNS, asked_to_stop=0)
    assert (await bulk.floor.row(later))["status"] == "pending"


async def test_a_cancel_in_the_middle_keeps_what_was_done_and_says_how_much(
    bulk: Bulk, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    floor, handlers = bulk.floor, []
    walk = act._walk

    async def noted(run: Run, *args: Any, **more: Any) -> Any:
        handlers.append(run)
        return await walk(run, *args, **more)

    async def told() -> bool:
        return handlers[0].cancelled

    def cancelling(retry_many: Verb) -> Verb:
        async def then_cancelled(*args: Any, **more: Any) -> Any:
            fates = await retry_many(*args, **more)
            async with pool.acquire() as conn:
                await runs.cancel(conn, floor.actor, run_id)
            await until(told, "the wish to stop, at its handler")
            return fates

        return then_cancelled

    monkeypatch.setattr(act, "_walk", noted)
    wrap(monkeypatch, "retry_many", cancelling)
    await bulk.fill("failed")
    run_id = await bulk.ask("retry")
    async with bulk.working():
        row = await floor.ended(run_id)
    assert (row["status"], json.loads(row["result"])) == ("cancelled", {"processed": 200, "retried": 200, "skipped": {}})
    assert json.loads(row["progress"]) == {"processed": 200, "total": RUNS}
    assert len(await bulk.retries()) == 200


async def test_it_says_what_it_skipped_and_why(bulk: Bulk) -> None:
    await bulk.fill("failed")
    await bulk.floor.conn.execute("update projects set deleted_at = now()")
    async with bulk.working():
        row = await bulk.floor.ended(await bulk.ask("retry"))
    assert json.loads(row["result"]) == {"processed": RUNS, "retried": 0, "skipped": {"project_gone": RUNS}}
