"""`concurrency` holds over all workers, and leaves no place empty."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from tests.workers.test_control import Counting, Runs

from tawny import Run, runs
from tawny.db.pool import connect
from tawny.workers import control, take


async def test_a_limit_holds_over_three_workers_and_all_of_its_places_are_used(floor) -> None:
    running, most = 0, 0

    @floor.app.job("limited", concurrency=3)
    async def limited(run: Run) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1

    made = [await floor.trigger("limited") for _ in range(60)]
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(floor.working())
        for run_id in made:
            await floor.ended(run_id)
    assert most == 3
    at_once = """
        select max((select count(*) from job_runs as o where o.started_at <= r.started_at and o.completed_at > r.started_at))
        from job_runs as r
    """
    assert await floor.conn.fetchval(at_once) <= 3


async def test_limited_and_unlimited_types_do_not_keep_each_other_waiting(floor) -> None:
    go_on = asyncio.Event()

    @floor.app.job("limited", concurrency=1)
    async def limited(run: Run) -> None:
        await go_on.wait()

    @floor.app.job("free")
    async def free(run: Run) -> None: ...

    blocked = [await floor.trigger("limited") for _ in range(3)]
    made = [await floor.trigger("free") for _ in range(30)]
    async with floor.working(concurrency=2):
        for run_id in made:
            await floor.ended(run_id)
        go_on.set()
        for run_id in blocked:
            await floor.ended(run_id)


async def test_a_backlog_behind_a_limit_is_worked_off_without_waiting_for_the_next_beat(floor, monkeypatch) -> None:
    counting = Counting(monkeypatch)

    @floor.app.job("limited", concurrency=2)
    async def limited(run: Run) -> None: ...

    made = [await floor.trigger("limited") for _ in range(60)]
    async with floor.working(lease=60.0, listen=False):
        for run_id in made:
            await floor.ended(run_id)
    assert counting.statements["renew"] <= 5


async def test_a_place_that_is_freed_while_a_claim_is_under_way_is_taken_without_waiting_for_the_poll(floor, monkeypatch) -> None:
    loop, go_on = asyncio.get_running_loop(), asyncio.Event()
    monkeypatch.setattr(control, "POLL", 3600.0)

    @floor.app.job("limited", concurrency=1)
    async def limited(run: Run) -> None:
        await go_on.wait()

    first, second = [await floor.trigger("limited") for _ in range(2)]

    async def claim_seated(*args, **more):
        claimed = await runs.claim_seated(*args, **more)
        if not claimed and not go_on.is_set():
            loop.call_soon_threadsafe(go_on.set)
            await _until_ended(floor.url, first)
            await asyncio.sleep(0)
        return claimed

    monkeypatch.setattr(take, "runs", Runs(claim_seated=claim_seated))
    async with floor.working(listen=False, lease=60.0):
        await floor.ended(first)
        await floor.ended(second)


async def _until_ended(url: str, run_id) -> None:
    """In the control thread, with a connection of its own; and until its writer has heard of it, too."""
    conn = await connect(url)
    while not await conn.fetchval("select outcome from job_runs where id = $1", run_id):
        await asyncio.sleep(0.01)
    await conn.close()


async def test_a_worker_without_limited_types_claims_in_one_statement(floor, monkeypatch) -> None:
    counting = Counting(monkeypatch)

    @floor.app.job("free")
    async def free(run: Run) -> None: ...

    async with floor.working(listen=False):
        await floor.ended(await floor.trigger("free"))
    assert counting.statements["claim"] >= 1
    assert "claim_seated" not in counting.statements
