"""`run.transaction()`: an author's rows and a checkpoint are stored together, and only by the attempt that has the run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from tawny import LeaseLost, Run
from tawny.workers import transactions


@pytest.fixture(autouse=True)
async def _months(floor) -> AsyncIterator[None]:
    """A table of the author's own."""
    await floor.conn.execute("create table months (month text primary key, run_id uuid)")
    yield
    await floor.conn.execute("drop table months")


async def _stored(floor) -> list[str]:
    return [row["month"] for row in await floor.conn.fetch("select month from months order by month")]


async def test_rows_and_checkpoint_are_committed_together(floor) -> None:
    @floor.app.job("writes")
    async def writes(run: Run) -> dict:
        async with run.transaction() as tx:
            await tx.execute("insert into months values ('2026-01', $1)", run.id)
            await tx.executemany("insert into months (month) values ($1)", [("2026-02",), ("2026-03",)])
            tx.checkpoint({"next": 4})
        return {"checkpointed": run.checkpointed}

    async with floor.working():
        row = await floor.ended(await floor.trigger("writes"))
    assert await _stored(floor) == ["2026-01", "2026-02", "2026-03"]
    assert json.loads(row["checkpoint"]) == {"next": 4}
    assert json.loads(row["result"]) == {"checkpointed": {"next": 4}}


async def test_all_ways_to_read_are_asyncpgs(floor) -> None:
    @floor.app.job("reads")
    async def reads(run: Run) -> dict:
        async with run.transaction() as tx:
            await tx.connection.execute("insert into months (month) values ('2026-01')")
            rows = await tx.fetch("select month from months")
            row = await tx.fetchrow("select month from months where month = $1", "2026-01")
            return {"rows": len(rows), "row": row["month"], "value": await tx.fetchval("select count(*) from months")}

    async with floor.working():
        row = await floor.ended(await floor.trigger("reads"))
    assert json.loads(row["result"]) == {"rows": 1, "row": "2026-01", "value": 1}
    assert await _stored(floor) == ["2026-01"], "leaving the block by return commits"


async def test_what_raises_inside_stores_nothing(floor) -> None:
    @floor.app.job("raises")
    async def raises(run: Run) -> dict:
        with suppress(ZeroDivisionError):
            async with run.transaction() as tx:
                await tx.execute("insert into months (month) values ('2026-01')")
                tx.checkpoint({"next": 2})
                raise ZeroDivisionError
        return {"checkpointed": run.checkpointed}

    async with floor.working():
        row = await floor.ended(await floor.trigger("raises"))
    assert await _stored(floor) == []
    assert (row["checkpoint"], json.loads(row["result"])) == (None, {"checkpointed": None})


async def test_the_databases_own_errors_reach_the_handler(floor) -> None:
    @floor.app.job("twice")
    async def twice(run: Run) -> None:
        async with run.transaction() as tx:
            await tx.execute("insert into months (month) values ('a'), ('a')")

    async with floor.working():
        row = await floor.ended(await floor.trigger("twice"))
    assert str(row["error"]).startswith("UniqueViolationError")


@pytest.mark.slow
async def test_an_attempt_that_lost_its_run_stores_nothing(floor) -> None:
    """The run is given to nobody else here, only taken away: what matters is that the row is not this attempt's any more."""
    raised: list[BaseException] = []
    let_go = asyncio.Event()

    @floor.app.job("zombie")
    async def zombie(run: Run) -> None:
        if run.attempt > 1:
            return
        try:
            async with run.transaction() as tx:
                await tx.execute("insert into months (month) values ('stale')")
                taken = "update job_runs set attempt = attempt + 1, status = 'pending', worker_id = null, started_at = null"
                await floor.conn.execute(f"{taken} where id = $1", run.id)
                tx.checkpoint({"stale": True})
        except LeaseLost as error:
            raised.append(error)
            let_go.set()
            raise

    async with floor.working():
        run_id = await floor.trigger("zombie")
        await let_go.wait()
        row = await floor.ended(run_id)
    assert "rolled back" in str(raised[0])
    assert await _stored(floor) == []
    assert (row["checkpoint"], row["status"]) == (None, "completed")


async def test_a_lost_lease_is_noticed_before_the_first_statement(floor) -> None:
    from tests.jobs.fake_port import FakePort, make_run

    with pytest.raises(LeaseLost):
        async with make_run(FakePort(lease_lost=True)).transaction():
            raise AssertionError("not reached")


@pytest.mark.parametrize("swallows", [False, True])
async def test_one_that_takes_too_long_is_rolled_back(floor, monkeypatch: pytest.MonkeyPatch, swallows: bool) -> None:
    monkeypatch.setattr(transactions, "LONGEST", 0.2)

    @floor.app.job("slow")
    async def slow(run: Run) -> None:
        async with run.transaction() as tx:
            await tx.execute("insert into months (month) values ('late')")
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if not swallows:
                    raise

    async with floor.working():
        row = await floor.ended(await floor.trigger("slow"))
    assert row["error"] == "TimeoutError: run.transaction() took longer than 0.2 seconds and was rolled back."
    assert await _stored(floor) == []


async def test_many_at_once_share_a_few_connections_and_all_commit(floor) -> None:
    @floor.app.job("writes")
    async def writes(run: Run, month: str) -> None:
        async with run.transaction() as tx:
            await tx.execute("insert into months (month) values ($1)", month)

    async with floor.working(concurrency=40):
        made = [await floor.trigger("writes", month=f"{n:03}") for n in range(40)]
        assert {(await floor.ended(run_id))["status"] for run_id in made} == {"completed"}
        used = await floor.conn.fetchval(
            "select count(*) from pg_stat_activity where application_name = 'tawny-handlers' and datname = current_database()"
        )
    assert len(await _stored(floor)) == 40
    assert used <= 10


async def test_a_killed_connection_is_an_error_of_its_handler_only(floor) -> None:
    @floor.app.job("unlucky", retries=1)
    async def unlucky(run: Run) -> None:
        async with run.transaction() as tx:
            if run.attempt == 1:
                await tx.execute("select pg_terminate_backend(pg_backend_pid())")
            await tx.execute("insert into months (month) values ('again')")

    async with floor.working():
        run_id = await floor.trigger("unlucky")
        await floor.fact(run_id, "retrying")
        await floor.make_due(run_id)
        assert (await floor.ended(run_id))["status"] == "completed"
    assert await _stored(floor) == ["again"]


async def test_a_handler_that_is_interrupted_inside_stores_nothing(floor) -> None:
    @floor.app.job("slow", timeout="0.2s")
    async def slow(run: Run) -> None:
        async with run.transaction() as tx:
            await tx.execute("insert into months (month) values ('half')")
            await asyncio.Event().wait()

    async with floor.working():
        row = await floor.ended(await floor.trigger("slow"))
    assert row["error_code"] == "timeout"
    assert await _stored(floor) == []
