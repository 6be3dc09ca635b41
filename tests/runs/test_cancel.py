"""A wish to stop is left on a running run, once, and kept."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from uuid import UUID

import pytest
from tests.waiting import until

from tawny import runs
from tawny.access import Actor
from tawny.db.ids import uuid7
from tawny.db.pool import Connection, Pool
from tawny.errors import Forbidden, InvalidRequest, NotFound
from tawny.runs import Claimed, Finish


async def test_a_cancel_names_the_worker_to_wake(house) -> None:
    worker_id, claimed = await house.running()
    assert await runs.cancel(house.conn, house.actor, claimed.id) == worker_id


async def test_asking_again_is_granted_and_leaves_one_fact(house) -> None:
    _, claimed = await house.running()
    await runs.cancel(house.conn, house.actor, claimed.id)
    assert await runs.cancel(house.conn, house.actor, claimed.id) is None
    assert await house.facts(claimed.id) == ["triggered", "started", "cancel_requested"]


async def test_a_pending_run_is_not_cancelled_and_the_status_is_named_with_the_way_to_cancel_it(house) -> None:
    with pytest.raises(InvalidRequest, match="this one is pending; with include_pending"):
        await runs.cancel(house.conn, house.actor, await house.trigger())


async def test_with_include_pending_a_pending_run_is_cancelled_at_once_and_frees_its_slot(house) -> None:
    run_id = await house.trigger()
    assert await runs.cancel(house.conn, house.actor, run_id, include_pending=True) is None
    row = await house.row(run_id)
    assert (row["status"], row["started_at"], row["error"]) == ("cancelled", None, None)
    assert row["completed_at"] == row["cancel_requested_at"]
    assert await house.facts(run_id) == ["triggered", "cancel_requested", "cancelled"]
    asked = await house.conn.fetchval("select data from run_events where run_id = $1 and kind = 'cancel_requested'", run_id)
    assert json.loads(asked) == {"by": house.actor.label}
    assert await house.claim(await house.enlist()) == []
    await house.trigger()


async def test_also_one_that_waits_for_its_next_attempt(house) -> None:
    _, claimed = await house.running()
    await runs.finish(house.conn, [Finish(claimed.id, 1, "retrying", delay=600)])
    await runs.cancel(house.conn, house.actor, claimed.id, include_pending=True)
    assert (await house.row(claimed.id))["status"] == "cancelled"
    assert await house.facts(claimed.id) == ["triggered", "started", "retrying", "cancel_requested", "cancelled"]


async def test_with_include_pending_a_running_run_is_asked_as_ever(house) -> None:
    worker_id, claimed = await house.running()
    assert await runs.cancel(house.conn, house.actor, claimed.id, include_pending=True) == worker_id
    assert await runs.cancel(house.conn, house.actor, claimed.id, include_pending=True) is None
    assert await house.facts(claimed.id) == ["triggered", "started", "cancel_requested"]


async def test_with_include_pending_a_run_that_has_ended_is_refused_and_foreign_ones_are_not_found(house) -> None:
    run_id = await house.trigger()
    await runs.cancel(house.conn, house.actor, run_id, include_pending=True)
    with pytest.raises(InvalidRequest, match="Only a pending or running run can be cancelled; this one is cancelled"):
        await runs.cancel(house.conn, house.actor, run_id, include_pending=True)
    pending = await house.trigger()
    stranger = Actor("user", uuid7(), roles={uuid7(): "owner"})
    system = await runs.trigger_system(house.conn, Actor.host(), house.jobs["sweep"])
    for actor, other in [(stranger, pending), (house.actor, system.id)]:
        with pytest.raises(NotFound):
            await runs.cancel(house.conn, actor, other, include_pending=True)
        assert (await house.row(other))["status"] == "pending"


async def test_a_run_that_is_being_claimed_is_asked_to_stop(house, pool: Pool) -> None:
    run_id, worker_id = await house.trigger(), await house.enlist()
    async with pool.transaction() as claiming:
        await runs.claim(claiming, worker_id, job_types=["export"], slots=1)
        cancelling = asyncio.create_task(runs.cancel(house.conn, house.actor, run_id, include_pending=True))
        await until(partial(_waits_for_a_lock, claiming), "a cancel that waits for the claim")
    assert await cancelling == worker_id
    assert await house.facts(run_id) == ["triggered", "started", "cancel_requested"]


async def _waits_for_a_lock(conn: Connection) -> bool:
    return bool(await conn.fetchval("select exists (select from pg_locks where not granted)"))


async def test_when_cancel_and_claim_race_the_run_is_never_lost_to_both(house, pool: Pool) -> None:
    worker_id = await house.enlist()

    async def cancel(run_id: UUID) -> UUID | None:
        async with pool.acquire() as conn:
            return await runs.cancel(conn, house.actor, run_id, include_pending=True)

    async def claim() -> list[Claimed]:
        async with pool.acquire() as conn:
            return await runs.claim(conn, worker_id, job_types=["export"], slots=1)

    for _ in range(40):
        run_id = await house.trigger(project_id=await house.new_project())
        to_wake, claimed = await asyncio.gather(cancel(run_id), claim())
        kinds = await house.facts(run_id)
        if claimed:
            assert (to_wake, kinds) == (worker_id, ["triggered", "started", "cancel_requested"])
        else:
            assert (to_wake, kinds) == (None, ["triggered", "cancel_requested", "cancelled"])


@pytest.mark.parametrize("status", ["completed", "failed"])
async def test_a_run_that_has_ended_is_not_cancelled_and_the_status_is_named(house, status: str) -> None:
    _, claimed = await house.running()
    await runs.finish(house.conn, [Finish(claimed.id, 1, status)])
    with pytest.raises(InvalidRequest, match=status):
        await runs.cancel(house.conn, house.actor, claimed.id)


async def test_unknown_foreign_and_system_runs_are_not_found(house) -> None:
    _, claimed = await house.running()
    stranger = Actor("user", uuid7(), roles={uuid7(): "owner"})
    system = await runs.trigger_system(house.conn, Actor.host(), house.jobs["sweep"])
    for actor, run_id in [(house.actor, uuid7()), (stranger, claimed.id), (house.actor, system.id)]:
        with pytest.raises(NotFound, match=r"^Run not found\.$"):
            await runs.cancel(house.conn, actor, run_id)


async def test_a_key_without_the_permission_may_not(house) -> None:
    _, claimed = await house.running()
    reader = Actor("api_key", uuid7(), roles={house.team_id: "owner"}, permissions=frozenset({"jobs:read"}))
    with pytest.raises(Forbidden, match="jobs:write"):
        await runs.cancel(house.conn, reader, claimed.id)


async def test_when_cancel_and_finish_race_the_answer_says_which_won(house, pool: Pool) -> None:
    outcomes = set()
    for _ in range(40):
        project_id = await house.new_project()
        await house.trigger(project_id=project_id)
        (claimed,) = await house.claim(await house.enlist())
        outcomes.add(await _race(house, pool, claimed))
    assert outcomes <= {("granted", "cancelled"), ("refused", "completed")}


async def _race(house, pool: Pool, claimed) -> tuple[str, str]:
    async def cancel() -> str:
        async with pool.acquire() as conn:
            try:
                await runs.cancel(conn, house.actor, claimed.id)
            except InvalidRequest:
                return "refused"
            return "granted"

    async def finish() -> None:
        async with pool.acquire() as conn:
            await runs.finish(conn, [Finish(claimed.id, claimed.attempt, "completed")])

    answer, _ = await asyncio.gather(cancel(), finish())
    return answer, str((await house.row(claimed.id))["status"])


async def test_of_many_the_pending_end_at_once_and_the_running_are_asked(house) -> None:
    worker_id, running = await house.running()
    pending = await house.trigger(job=house.jobs["import"])
    ended = await house.trigger(project_id=await house.new_project())
    await runs.cancel(house.conn, house.actor, ended, include_pending=True)
    everything = [running.id, ended, uuid7(), pending]
    done = await runs.cancel_many(house.conn, house.team_id, everything, by=house.actor.label)
    assert (done.ended, done.asked, done.worker_ids) == (1, 1, {worker_id})
    assert await house.facts(running.id) == ["triggered", "started", "cancel_requested"]
    assert await house.facts(pending) == ["triggered", "cancel_requested", "cancelled"]
    again = await runs.cancel_many(house.conn, house.team_id, everything, by=house.actor.label)
    assert (again.ended, again.asked) == (0, 0)


async def test_of_many_those_of_another_team_are_left_alone(house) -> None:
    run_id = await house.trigger()
    done = await runs.cancel_many(house.conn, uuid7(), [run_id], by="host")
    assert (done.ended, done.asked) == (0, 0)
    assert (await house.row(run_id))["status"] == "pending"
