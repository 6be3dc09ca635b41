"""What a worker holds, the database agrees it holds, whatever happens between them."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter

import asyncpg
import pytest
from tests.waiting import until

from tawny import LeaseLost, Run, runs
from tawny.db import pool as db_pool
from tawny.db.ids import uuid7
from tawny.runs import Claimed, Crash
from tawny.runs.statements import queries
from tawny.workers import control, take, writer
from tawny.workers.lease import Lease, now


async def _worker_ids(floor) -> list:
    return [row["id"] for row in await floor.conn.fetch("select id from workers order by started_at")]


async def _expire(floor) -> None:
    await floor.conn.execute("update workers set leased_until = now() - interval '1 second'")


async def test_a_worker_enlists_and_leaves_no_trace_when_it_stops(floor) -> None:
    async with floor.working():

        async def enlisted() -> object:
            return await _worker_ids(floor)

        await until(enlisted, "the worker on the list")
    assert await _worker_ids(floor) == []


async def test_a_worker_notes_how_long_its_renewals_take(floor) -> None:
    async with floor.working(lease=1.0):

        async def noted() -> object:
            return await floor.conn.fetchval("select pulse_seconds > 0 from workers")

        await until(noted, "the length of a renewal")


async def test_a_worker_tells_how_much_memory_it_holds(floor) -> None:
    async with floor.working(lease=1.0):

        async def told() -> object:
            return await floor.conn.fetchval("select memory_bytes > 10000000 from workers")

        await until(told, "its memory")


async def test_a_worker_that_was_stopped_says_that_it_drains_while_a_handler_goes_on(floor) -> None:
    may_end = asyncio.Event()

    @floor.app.job("long")
    async def long(run: Run) -> None:
        await may_end.wait()

    async with floor.working(lease=1.0) as worker:
        await floor.trigger("long")

        async def running() -> object:
            return await floor.conn.fetchval("select running = 1 and not draining from workers")

        await until(running, "the run in its hands")
        worker.stop()

        async def draining() -> object:
            return await floor.conn.fetchval("select running = 1 and draining from workers")

        await until(draining, "the word that it drains")
        may_end.set()


async def test_no_more_runs_at_once_than_its_concurrency(floor) -> None:
    running, most = 0, 0

    @floor.app.job("counted")
    async def counted(run: Run) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    made = [await floor.trigger("counted") for _ in range(30)]
    async with floor.working(concurrency=3):
        for run_id in made:
            await floor.ended(run_id)
    assert most == 3


async def test_a_stopping_worker_waits_for_its_handlers(floor) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    @floor.app.job("slow")
    async def slow(run: Run) -> None:
        started.set()
        await go_on.wait()

    run_id = await floor.trigger("slow")
    worker = floor.worker(drain=30.0)
    working = asyncio.create_task(worker.run())
    await started.wait()

    async def claimed_to_the_end() -> bool:
        return not worker._machinery._control._more_due

    await until(claimed_to_the_end, "a claim that came back empty")
    worker.stop()
    late = await floor.trigger("slow")
    go_on.set()
    assert await working is True
    assert (await floor.row(run_id))["status"] == "completed"
    assert (await floor.row(late))["attempt"] == 0


async def test_what_outlasts_the_drain_is_given_back_without_a_charge(floor) -> None:
    started = asyncio.Event()

    @floor.app.job("endless")
    async def endless(run: Run) -> None:
        await run.checkpoint({"next": 1})
        started.set()
        await asyncio.Event().wait()

    run_id = await floor.trigger("endless")
    worker = floor.worker(drain=0.0)
    working = asyncio.create_task(worker.run())
    await started.wait()
    worker.stop()
    assert await working is False
    row = await floor.row(run_id)
    assert (row["status"], row["crashes"], row["failures"], json.loads(row["checkpoint"])) == ("pending", 0, 0, {"next": 1})
    assert await floor.facts(run_id) == ["triggered", "started", "released"]


@pytest.mark.slow
async def test_a_handler_that_blocks_its_loop_for_two_leases_loses_nothing(floor) -> None:
    @floor.app.job("blocks")
    async def blocks(run: Run) -> dict:
        time.sleep(2.0)
        run.progress(1, 1)
        return {"attempt": run.attempt}

    async with floor.working(lease=1.0):
        row = await floor.ended(await floor.trigger("blocks"))
    assert (row["status"], json.loads(row["result"]), row["crashes"]) == ("completed", {"attempt": 1}, 0)


@pytest.mark.slow
async def test_a_handler_sees_that_the_lease_was_lost_and_the_run_begins_anew_uncharged(floor) -> None:
    seen = []
    started = threading.Event()

    @floor.app.job("twice")
    def twice(run: Run) -> dict:
        started.set()
        if run.attempt > 1:
            return {"attempt": run.attempt}
        try:
            while True:
                run.progress(1)
                time.sleep(0.001)
        except LeaseLost:
            seen.append(run.attempt)
            raise

    async with floor.working():
        run_id = await floor.trigger("twice")
        await asyncio.to_thread(started.wait, 10)
        await _expire(floor)
        row = await floor.ended(run_id)
    assert seen == [1]
    assert (row["status"], row["crashes"]) == ("completed", 0)
    assert row["attempt"] >= 2
    assert set(await floor.facts(run_id)) >= {"released"}


@pytest.mark.slow
async def test_a_lost_attempt_can_write_nothing_and_its_crash_is_forgiven(floor) -> None:
    refused = []
    started, taken = threading.Event(), threading.Event()

    @floor.app.job("zombie")
    def zombie(run: Run) -> dict:
        started.set()
        if run.attempt > 1:
            return {"by": run.attempt}
        taken.wait(10)
        while True:
            for name, call in {
                "progress": lambda: run.progress(9),
                "checkpoint": lambda: run.checkpoint({"by": "zombie"}),
            }.items():
                try:
                    call()
                except LeaseLost:
                    refused.append(name)
            if {"progress", "checkpoint"} <= set(refused):
                return {"by": "zombie"}

    async with floor.working():
        run_id = await floor.trigger("zombie")
        await asyncio.to_thread(started.wait, 10)
        await _expire(floor)
        async with floor.conn.transaction():
            await runs.reap(floor.conn, lease=0)
        taken.set()
        row = await floor.ended(run_id)

        async def forgiven() -> object:
            return "released" in await floor.facts(run_id)

        await until(forgiven, "the late release")
    assert (row["status"], row["checkpoint"]) == ("completed", None)
    assert json.loads(row["result"])["by"] >= 2


async def test_runs_of_a_claim_whose_reply_was_lost_are_given_back_and_done(floor, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = []

    async def claim(conn, worker_id, **how):
        claimed = await runs.claim(conn, worker_id, **how)
        if claimed and not lost:
            lost.extend(claimed)
            raise ConnectionResetError("the reply never came")
        return claimed

    monkeypatch.setattr(take, "runs", Runs(claim=claim))

    @floor.app.job("done")
    async def done(run: Run) -> None: ...

    async with floor.working():
        made = [await floor.trigger("done") for _ in range(5)]
        rows = [await floor.ended(run_id) for run_id in made]
    assert lost
    assert {(row["status"], row["crashes"]) for row in rows} == {("completed", 0)}


async def test_a_finish_whose_reply_was_lost_is_stored_once(floor, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = []

    async def finish(conn, finishes):
        ended = await runs.finish(conn, finishes)
        if not lost:
            lost.extend(ended)
            raise ConnectionResetError("the reply never came")
        return ended

    monkeypatch.setattr(writer, "runs", Runs(finish=finish))

    @floor.app.job("done")
    async def done(run: Run) -> dict:
        return {"attempt": run.attempt}

    async with floor.working():
        run_id = await floor.trigger("done")
        row = await floor.ended(run_id)
    assert lost == [run_id]
    assert (row["status"], json.loads(row["result"])) == ("completed", {"attempt": 1})
    assert (await floor.facts(run_id)).count("completed") == 1


class Runs:
    """The room of runs with one verb exchanged."""

    def __init__(self, **verbs) -> None:
        self.__dict__.update(verbs)

    def __getattr__(self, name: str):
        return getattr(runs, name)


async def test_a_worker_goes_on_after_the_server_has_cut_all_its_connections(floor) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    @floor.app.job("through")
    async def through(run: Run) -> dict:
        started.set()
        await go_on.wait()
        await run.checkpoint({"next": 2})
        return {"attempt": run.attempt}

    async with floor.working(lease=60.0):
        run_id = await floor.trigger("through")
        await started.wait()
        await floor.conn.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and application_name like 'tawny-%'"
        )
        go_on.set()
        row = await floor.ended(run_id)
    assert (row["status"], json.loads(row["result"]), row["crashes"]) == ("completed", {"attempt": 1}, 0)


async def test_a_cancel_reaches_the_handler_within_a_beat_without_any_notification(floor) -> None:
    @floor.app.job("long")
    async def long(run: Run) -> None:
        while True:
            run.check_cancelled()
            await asyncio.sleep(0.001)

    async with floor.working(listen=False):
        run_id = await floor.trigger("long")
        await floor.status(run_id, "running")
        await runs.cancel(floor.conn, floor.actor, run_id)
        assert (await floor.ended(run_id))["status"] == "cancelled"


@pytest.mark.slow
async def test_a_run_of_a_dead_worker_goes_on_from_its_checkpoint(floor) -> None:
    @floor.app.job("resumes")
    async def resumes(run: Run) -> dict:
        return {"from": run.checkpointed, "attempt": run.attempt}

    run_id = await floor.trigger("resumes")
    dead = await runs.enlist(floor.conn, name="dead:1", version="0", lease=60)
    await runs.claim(floor.conn, dead, job_types=["resumes"], slots=1)
    await runs.save_checkpoints(floor.conn, [((run_id, 1), '{"next": 7}')])
    await floor.conn.execute("update workers set leased_until = now() - interval '1 second' where id = $1", dead)
    # The server must have been up for one lease, or nothing is reaped yet.
    async with floor.working(lease=1.0):
        row = await floor.ended(run_id)
    assert json.loads(row["result"]) == {"from": {"next": 7}, "attempt": 2}
    assert row["crashes"] == 1


class Counting:
    """Counts the statements of every connection that a worker opens, at the driver."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.statements: Counter[str] = Counter()
        for module in (control, writer):
            monkeypatch.setattr(module, "connect", self._connect)

    async def _connect(self, url: str, **how: object) -> asyncpg.Connection:
        conn = await db_pool.connect(url, **how)
        conn.add_query_logger(self._count)
        return conn

    def _count(self, record) -> None:
        name = next((q.name for q in queries.all.values() if q.sql == record.query), None)
        if name:
            self.statements[name] += 1


@pytest.mark.slow
async def test_a_million_reports_of_progress_cost_two_statements_a_beat(floor, monkeypatch: pytest.MonkeyPatch) -> None:
    counting = Counting(monkeypatch)

    @floor.app.job("chatty")
    def chatty(run: Run) -> None:
        for n in range(1_000_000):
            run.progress(n, 1_000_000)

    async with floor.working(concurrency=1, listen=False):
        row = await floor.ended(await floor.trigger("chatty"))
    statements = counting.statements
    print(f"1,000,000 progress() calls: {dict(statements)}")
    assert json.loads(row["progress"]) == {"processed": 1_000_000, "total": 1_000_000}
    assert statements["flush"] <= statements["renew"]
    assert set(statements) <= {"renew", "flush", "enlist", "claim", "finish", "leave", "held_by"}


async def test_a_backlog_is_worked_off_without_waiting_for_the_next_beat(floor, monkeypatch: pytest.MonkeyPatch) -> None:
    counting = Counting(monkeypatch)

    @floor.app.job("quick")
    async def quick(run: Run) -> None: ...

    made = [await floor.trigger("quick") for _ in range(60)]
    async with floor.working(concurrency=2, lease=60.0, listen=False):
        for run_id in made:
            await floor.ended(run_id)
    assert counting.statements["renew"] <= 5  # a beat is a second: each one waited for would be another


@pytest.mark.parametrize("turns", range(6))
async def test_a_cancel_that_meets_a_wake_up_still_ends_the_loop(floor, turns: int) -> None:
    sleeper = control.Control(
        floor.url, jobs={}, concurrency=1, lease=60.0, listen=False, isolating=False, start=list, save=list, stuck=list
    )
    sleeper._next_beat = sleeper._next_claim = now() + 3600

    async def sleep_for_ever() -> None:
        while True:
            await sleeper._sleep()

    sleeping = asyncio.create_task(sleep_for_ever())
    for _ in range(5):
        await asyncio.sleep(0)
    sleeper._wake.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    sleeping.cancel()
    await asyncio.wait({sleeping}, timeout=1)
    ended = sleeping.cancelled()
    sleeping.cancel()
    assert ended


def _in_hands(floor, run_id, attempt: int) -> Claimed:
    return Claimed(run_id, attempt, "export", floor.team_id, None, None, None, None, None)


@pytest.mark.parametrize("end", ["its finish was stored", "it lost its lease"])
async def test_an_attempt_that_is_through_takes_no_later_attempt_of_its_run_along(floor, end: str) -> None:
    """A run that crashed, or was taken back, is due at once: the same worker may hold it again before it hears of the end."""

    @floor.app.job("export")
    async def export(run: Run) -> None: ...

    control_loop = control.Control(
        floor.url,
        jobs=floor.app.jobs,
        concurrency=5,
        lease=60.0,
        listen=False,
        isolating=False,
        start=list,
        save=list,
        stuck=list,
    )
    run_id, lease, begun = uuid7(), Lease(uuid7(), 60.0, now()), []
    control_loop._start = begun.extend
    control_loop._begin(lease, [_in_hands(floor, run_id, 1)])
    control_loop._begin(lease, [_in_hands(floor, run_id, 2)])
    first, second = begun
    if end == "it lost its lease":
        control_loop.ended([(first, None)])
    else:
        control_loop._stored([(first, Crash(run_id, 1, "it crashed"))])
    assert control_loop._held == {run_id: second}
