"""A due run goes to one worker, for one attempt."""

from __future__ import annotations

import asyncio

from tawny import runs
from tawny.db.pool import Pool


async def test_a_claim_makes_the_run_running_and_raises_its_attempt(house) -> None:
    run_id = await house.trigger(params={"month": "2026-03"})
    worker_id = await house.enlist()
    (claimed,) = await house.claim(worker_id)
    row = await house.row(run_id)
    assert (claimed.id, claimed.attempt, claimed.job_type) == (run_id, 1, "export")
    assert (row["status"], row["worker_id"]) == ("running", worker_id)
    assert row["started_at"] >= row["created_at"]
    assert await house.facts(run_id) == ["triggered", "started"]


async def test_the_longest_due_goes_first(house) -> None:
    made = [await house.trigger(project_id=await house.new_project()) for _ in range(5)]
    worker_id = await house.enlist()
    assert {c.id for c in await house.claim(worker_id, slots=2)} == set(made[:2])
    assert {c.id for c in await house.claim(worker_id, slots=9)} == set(made[2:])


async def test_a_run_that_is_not_due_yet_is_left(house) -> None:
    run_id = await house.trigger()
    await house.conn.execute("update job_runs set run_at = now() + interval '1 minute' where id = $1", run_id)
    assert await house.claim(await house.enlist()) == []


async def test_only_the_types_asked_for_are_taken(house) -> None:
    await house.trigger()
    assert await runs.claim(house.conn, await house.enlist(), job_types=["import"], slots=10) == []


async def test_a_worker_without_a_lease_gets_nothing(house) -> None:
    await house.trigger()
    worker_id = await house.enlist()
    await house.die(worker_id)
    assert await house.claim(worker_id) == []


async def test_a_worker_that_nobody_knows_gets_nothing(house) -> None:
    run_id = await house.trigger()
    assert await house.claim(run_id) == []


async def test_many_workers_share_the_due_runs_without_a_double(house, pool: Pool) -> None:
    made = {await house.trigger(project_id=await house.new_project()) for _ in range(60)}
    workers = [await house.enlist() for _ in range(8)]

    async def drain(worker_id) -> list:
        mine = []
        async with pool.acquire() as conn:
            while claimed := await runs.claim(conn, worker_id, job_types=["export"], slots=3):
                mine += [c.id for c in claimed]
        return mine

    taken = [run_id for mine in await asyncio.gather(*(drain(w) for w in workers)) for run_id in mine]
    assert len(taken) == len(made)
    assert set(taken) == made


async def test_a_claim_is_counted_on_the_worker(house) -> None:
    worker_id, _ = await house.running()
    assert await house.conn.fetchval("select claimed from workers where id = $1", worker_id) == 1
