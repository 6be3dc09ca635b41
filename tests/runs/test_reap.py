"""The runs of a dead worker are taken back; those of a living one never."""

from __future__ import annotations

import asyncio

from tawny import runs
from tawny.db.pool import Pool, connect
from tawny.runs import Flushed


async def test_a_dead_workers_run_is_due_again_and_charged_a_crash(house, reap) -> None:
    worker_id, claimed = await house.running()
    await runs.flush(house.conn, [Flushed((claimed.id, 1), '{"processed": 3, "total": 9}')])
    await house.die(worker_id)
    assert await reap() == {claimed.id: "pending"}
    row = await house.row(claimed.id)
    assert (row["status"], row["crashes"], row["started_at"], row["failures"]) == ("pending", 1, None, 0)
    assert row["progress"] is not None
    assert await house.facts(claimed.id) == ["triggered", "started", "lost"]
    assert await house.conn.fetchval("select count(*) from workers") == 0


async def test_a_living_worker_keeps_its_runs(house, reap) -> None:
    _, claimed = await house.running()
    assert await reap() == {}
    assert (await house.row(claimed.id))["status"] == "running"


async def test_nothing_is_reaped_within_one_lease_of_the_servers_start(house) -> None:
    worker_id, _ = await house.running()
    await house.die(worker_id)
    async with house.conn.transaction():
        assert await runs.reap(house.conn, lease=10**8) == {}


async def test_a_run_that_was_to_be_cancelled_ends_cancelled(house, reap) -> None:
    worker_id, claimed = await house.running()
    await runs.cancel(house.conn, house.actor, claimed.id)
    await house.die(worker_id)
    assert await reap() == {claimed.id: "cancelled"}
    assert await house.facts(claimed.id) == ["triggered", "started", "cancel_requested", "lost", "cancelled"]


async def _crash(house, reap) -> dict:
    worker_id = await house.enlist()
    assert len(await house.claim(worker_id)) == 1
    await house.die(worker_id)
    return await reap()


async def test_the_third_crash_fails_the_run_as_poisoned_and_frees_its_slot(house, reap) -> None:
    run_id = await house.trigger()
    assert [set((await _crash(house, reap)).values()) for _ in range(3)] == [{"pending"}, {"pending"}, {"failed"}]
    row = await house.row(run_id)
    assert (row["status"], row["error_code"], row["crashes"], row["attempt"]) == ("failed", "poisoned", 3, 3)
    assert row["error"] == "Given up after 3 crashes: the worker died while this run was on it."
    assert (await house.facts(run_id))[-2:] == ["lost", "failed"]
    await house.trigger()


async def test_a_checkpoint_sets_the_crashes_back(house, reap) -> None:
    run_id = await house.trigger()
    await _crash(house, reap)
    await _crash(house, reap)
    (claimed,) = await house.claim(await house.enlist())
    assert claimed.crashes == 2
    assert await runs.save_checkpoints(house.conn, [((run_id, 3), "{}")]) == {run_id}
    assert (await house.row(run_id))["crashes"] == 0


async def test_a_run_that_a_dead_worker_s_transaction_still_locks_holds_up_no_other(house, pool: Pool) -> None:
    locked = await house.trigger()
    free = await house.trigger(project_id=await house.new_project())
    worker_id = await house.enlist()
    assert len(await house.claim(worker_id)) == 2

    async def reap() -> dict:
        async with pool.transaction() as tx:
            return await runs.reap(tx, lease=0)

    async with house.conn.transaction():
        await runs.fence(house.conn, (locked, 1), None)
        async with pool.acquire() as other:
            await other.execute("update workers set leased_until = now() - interval '1 second'")
        assert await reap() == {free: "pending"}
    assert await reap() == {locked: "pending"}
    assert await house.conn.fetchval("select count(*) from workers") == 0


async def test_two_reapers_at_once_take_each_run_back_once(house, pool: Pool) -> None:
    for _ in range(20):
        await house.trigger(project_id=await house.new_project())
    worker_id = await house.enlist()
    assert len(await house.claim(worker_id)) == 20
    await house.die(worker_id)

    async def reap() -> dict:
        async with pool.transaction() as tx:
            return await runs.reap(tx, lease=0)

    taken = [run_id for answer in await asyncio.gather(*(reap() for _ in range(4))) for run_id in answer]
    assert len(taken) == len(set(taken)) == 20


async def test_a_claim_under_way_while_its_worker_is_reaped_loses_nothing(house, database_url: str) -> None:
    """The claim holds its worker's row; the reaper steps over it and finds the run once the claim is committed."""
    await house.trigger()
    worker_id = await house.enlist()
    other = await connect(database_url)
    async with house.conn.transaction():
        (claimed,) = await house.claim(worker_id)
        await house.die(worker_id)
        async with other.transaction():
            assert await runs.reap(other, lease=0) == {}
    async with other.transaction():
        assert await runs.reap(other, lease=0) == {claimed.id: "pending"}
    await other.close()


async def test_a_running_run_whose_worker_is_nowhere_is_an_orphan_and_taken_back(house) -> None:
    worker_id, claimed = await house.running()
    await house.conn.execute("delete from workers where id = $1", worker_id)
    async with house.conn.transaction():
        assert await runs.reap_orphans(house.conn) == {claimed.id: "pending"}


async def test_a_system_run_is_taken_back_like_any_other(house, reap) -> None:
    from tawny.access import Actor

    made = await runs.trigger_system(house.conn, Actor.host(), house.jobs["sweep"])
    worker_id = await house.enlist()
    await runs.claim(house.conn, worker_id, job_types=["sweep"], slots=1)
    await house.die(worker_id)
    assert await reap() == {made.id: "pending"}
