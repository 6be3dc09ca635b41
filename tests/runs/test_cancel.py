"""A wish to stop is left on a running run, once, and kept."""

from __future__ import annotations

import asyncio

import pytest

from tawny import runs
from tawny.access import Actor
from tawny.db.ids import uuid7
from tawny.db.pool import Pool
from tawny.errors import Forbidden, InvalidRequest, NotFound
from tawny.runs import Finish


async def test_a_cancel_names_the_worker_to_wake(house) -> None:
    worker_id, claimed = await house.running()
    assert await runs.cancel(house.conn, house.actor, claimed.id) == worker_id


async def test_asking_again_is_granted_and_leaves_one_fact(house) -> None:
    _, claimed = await house.running()
    await runs.cancel(house.conn, house.actor, claimed.id)
    assert await runs.cancel(house.conn, house.actor, claimed.id) is None
    assert await house.facts(claimed.id) == ["triggered", "started", "cancel_requested"]


async def test_a_pending_run_is_not_cancelled_and_the_status_is_named(house) -> None:
    with pytest.raises(InvalidRequest, match="pending"):
        await runs.cancel(house.conn, house.actor, await house.trigger())


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
