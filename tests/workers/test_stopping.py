"""How a handler is made to stop: by asking, then by interrupting, then by a new process."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tawny import Run, RunCancelled, RunTimedOut, runs
from tawny.db.ids import uuid7
from tawny.jobs import Options, define
from tawny.runs import Claimed
from tawny.workers.stopping import Plan, kind_of, plan


@pytest.mark.parametrize(
    ("kind", "reason", "expected"),
    [
        ("async", "cancel", Plan(interrupt=30, overdue=60)),
        ("async", "timeout", Plan(interrupt=0, overdue=30)),
        ("thread", "cancel", Plan(interrupt=None, overdue=30)),
        ("thread", "timeout", Plan(interrupt=None, overdue=30)),
        ("process", "cancel", Plan(interrupt=30, overdue=None)),
        ("process", "timeout", Plan(interrupt=0, overdue=None)),
    ],
)
def test_what_is_tried_and_when(kind, reason, expected: Plan) -> None:
    assert plan(kind, reason, 30) == expected


@pytest.mark.parametrize(
    ("name", "crashes", "isolate", "expected"),
    [
        ("export", 0, None, "async"),
        ("export", 1, None, "async"),
        ("export", 2, None, "process"),
        ("export", 0, "process", "process"),
        ("tawny.bulk", 2, None, "async"),
    ],
)
def test_who_has_crashed_twice_is_alone_save_the_servers_own_jobs(name: str, crashes: int, isolate: str | None, expected) -> None:
    async def handler(run: Run) -> None: ...

    job = define(handler, Options(name=name, isolate=isolate, builtin=name == "tawny.bulk"))
    claimed = Claimed(uuid7(), 1, name, None, None, None, None, None, None, crashes=crashes)
    assert kind_of(job, claimed) == expected
    assert kind_of(job, claimed, isolating=False) == "async"


@pytest.mark.slow
async def test_an_async_handler_that_ignores_a_cancel_is_interrupted_after_its_grace(floor) -> None:
    interrupted = asyncio.Event()

    @floor.app.job("deaf", cancel_grace="0.1s")
    async def deaf(run: Run) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            interrupted.set()

    async with floor.working():
        run_id = await floor.trigger("deaf")
        await floor.status(run_id, "running")
        await runs.cancel(floor.conn, floor.actor, run_id)
        row = await floor.ended(run_id)
    assert interrupted.is_set()
    assert (row["status"], row["error"]) == ("cancelled", None)


async def test_a_handler_that_stops_within_its_grace_is_not_interrupted(floor) -> None:
    @floor.app.job("tidy", cancel_grace="30s")
    async def tidy(run: Run) -> dict:
        while not run.cancelled:
            await asyncio.sleep(0.001)
        return {"tidied": True}

    async with floor.working():
        run_id = await floor.trigger("tidy")
        await floor.status(run_id, "running")
        await runs.cancel(floor.conn, floor.actor, run_id)
        row = await floor.ended(run_id)
    assert (row["status"], json.loads(row["result"])) == ("cancelled", {"tidied": True})


async def test_an_async_attempt_that_takes_too_long_is_interrupted_and_fails_as_timed_out(floor) -> None:
    @floor.app.job("slow", timeout="0.2s")
    async def slow(run: Run) -> None:
        run.progress(3, 9)
        await asyncio.Event().wait()

    async with floor.working():
        row = await floor.ended(await floor.trigger("slow"))
    assert (row["status"], row["error_code"], row["failures"]) == ("failed", "timeout", 1)
    assert row["error"] == "This attempt took longer than its timeout of 0.2 seconds."
    assert json.loads(row["progress"])["processed"] == 3


@pytest.mark.parametrize("kind", ["async", "plain"])
async def test_what_a_handler_returns_once_it_knows_of_the_timeout_is_kept_with_the_failure(floor, kind: str) -> None:
    if kind == "async":

        @floor.app.job("saves", timeout="0.1s")
        async def saves(run: Run) -> dict:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return {"saved": run.cancelled}
            return {}

    else:

        @floor.app.job("saves", timeout="0.1s")
        def saves_plain(run: Run) -> dict:
            while not run.cancelled:
                pass
            return {"saved": True}

    async with floor.working():
        row = await floor.ended(await floor.trigger("saves"))
    assert (row["status"], row["error_code"], json.loads(row["result"])) == ("failed", "timeout", {"saved": True})


async def test_track_raises_a_timeout_that_is_a_cancel(floor) -> None:
    raised = []

    @floor.app.job("long", timeout="0.1s")
    def long(run: Run) -> None:
        try:
            for _ in run.track(range(10**9)):
                pass
        except RunCancelled as error:
            raised.append(error)
            raise

    async with floor.working():
        row = await floor.ended(await floor.trigger("long"))
    assert isinstance(raised[0], RunTimedOut)
    assert row["error_code"] == "timeout"


async def test_a_plain_handler_that_never_looked_and_finished_late_has_completed(floor) -> None:
    timed_out = threading.Event()

    @floor.app.job("late", timeout="0.1s")
    def late(run: Run) -> dict:
        while not run._port.timed_out:
            pass
        timed_out.set()
        return {"all": True}

    async with floor.working():
        row = await floor.ended(await floor.trigger("late"))
    assert timed_out.is_set()
    assert (row["status"], json.loads(row["result"])) == ("completed", {"all": True})


async def test_a_timeout_is_retried_like_any_failure(floor) -> None:
    @floor.app.job("second_time", timeout="0.1s", retries=1)
    async def second_time(run: Run) -> dict:
        if run.attempt == 1:
            await asyncio.Event().wait()
        return {"attempt": run.attempt}

    async with floor.working():
        run_id = await floor.trigger("second_time")
        await floor.fact(run_id, "retrying")
        await floor.make_due(run_id)
        row = await floor.ended(run_id)
    assert (row["status"], json.loads(row["result"]), row["failures"]) == ("completed", {"attempt": 2}, 1)


async def test_a_cancel_wins_over_a_timeout(floor) -> None:
    asked = asyncio.Event()

    @floor.app.job("both", timeout="0.1s")
    async def both(run: Run) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.shield(asked.wait())

    async with floor.working():
        run_id = await floor.trigger("both")
        await floor.status(run_id, "running")
        await runs.cancel(floor.conn, floor.actor, run_id)
        asked.set()
        row = await floor.ended(run_id)
    assert (row["status"], row["error"]) == ("cancelled", None)


@asynccontextmanager
async def _until_it_starts_again(floor, *, drain: float = 0.0) -> AsyncIterator[None]:
    """A worker that is over once it has asked to be started again."""
    again = asyncio.Event()
    loop = asyncio.get_running_loop()
    worker = floor.worker(drain=drain, restart=lambda: loop.call_soon_threadsafe(again.set))
    working = asyncio.create_task(worker.run())
    await worker.ready.wait()
    yield
    await again.wait()
    worker.hurry()
    await working


@pytest.mark.slow
@pytest.mark.parametrize(("options", "status"), [({"timeout": "0.1s"}, "failed"), ({}, "cancelled")], ids=["timeout", "cancel"])
@pytest.mark.parametrize("kind", ["async", "plain"])
async def test_a_handler_that_does_not_stop_ends_its_run_and_the_worker_starts_again(floor, kind, options, status) -> None:
    go_on = threading.Event()
    if kind == "async":

        @floor.app.job("stubborn", cancel_grace="0.1s", **options)
        async def stubborn(run: Run) -> None:
            while not go_on.is_set():
                try:
                    await asyncio.sleep(0.01)
                except asyncio.CancelledError:
                    continue

    else:

        @floor.app.job("stubborn", cancel_grace="0.1s", **options)
        def stubborn_plain(run: Run) -> None:
            go_on.wait()

    run_id = await floor.trigger("stubborn")
    async with _until_it_starts_again(floor):
        await floor.status(run_id, "running")
        if status == "cancelled":
            await runs.cancel(floor.conn, floor.actor, run_id)
    row = await floor.row(run_id)
    go_on.set()
    assert row["status"] == status
    assert row["error_code"] == ("timeout" if status == "failed" else None)
    assert "overdue" in await floor.facts(run_id)
    assert await floor.conn.fetchval("select count(*) from workers") == 0


async def test_neighbours_of_a_handler_that_does_not_stop_finish_before_the_worker_starts_again(floor) -> None:
    go_on, overdue = threading.Event(), asyncio.Event()

    @floor.app.job("stubborn", cancel_grace="0.1s", timeout="0.1s")
    def stubborn(run: Run) -> None:
        go_on.wait()

    @floor.app.job("neighbour")
    async def neighbour(run: Run) -> dict:
        await overdue.wait()
        return {"finished": True}

    neighbour_id = await floor.trigger("neighbour")
    run_id = await floor.trigger("stubborn")
    async with _until_it_starts_again(floor, drain=30.0):
        await floor.fact(run_id, "overdue")
        late = await floor.trigger("neighbour")
        overdue.set()
    go_on.set()
    assert (await floor.row(neighbour_id))["status"] == "completed"
    assert (await floor.row(late))["attempt"] == 0, "nothing is claimed any more"


async def test_a_handler_that_blocks_the_loop_for_ever_costs_a_restart_and_no_run(floor) -> None:
    """The handlers' loop cannot say or do anything then: all of it happens in the control thread."""
    go_on = threading.Event()

    @floor.app.job("blocks", cancel_grace="0.1s", timeout="0.1s")
    async def blocks(run: Run) -> None:
        go_on.wait(30)

    @floor.app.job("neighbour")
    async def neighbour(run: Run) -> None:
        await asyncio.Event().wait()

    neighbour_id = await floor.trigger("neighbour")
    run_id = await floor.trigger("blocks")
    await asyncio.to_thread(_work_in_a_thread, floor, go_on)
    assert ((await floor.row(run_id))["status"], (await floor.row(run_id))["error_code"]) == ("failed", "timeout")
    row = await floor.row(neighbour_id)
    assert (row["status"], row["crashes"], row["failures"]) == ("pending", 0, 0)


def _work_in_a_thread(floor, go_on: threading.Event) -> None:
    async def work() -> None:
        worker = floor.worker(drain=0.0, restart=go_on.set)
        working = asyncio.create_task(worker.run())
        await asyncio.to_thread(go_on.wait, 30)
        worker.hurry()
        await working

    asyncio.run(work())
