"""With a project its runs end: those that are there, and those that somebody asks for at that very moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from tests.runs.players import some_ended, some_running, status
from tests.waiting import somebody_waits

from tawny import runs
from tawny.access import Actor
from tawny.db.ids import uuid7
from tawny.db.pool import Connection, Pool
from tawny.errors import Forbidden, NotFound, RequestError
from tawny.runs import Finish

Ask = Callable[[Connection], Awaitable[object]]


async def delete(house, conn: Connection | None = None, project_id: UUID | None = None) -> object:
    return await runs.delete_project(conn or house.conn, house.actor, project_id or house.project_id)


async def is_living(house, project_id: UUID) -> bool:
    living: bool = await house.conn.fetchval("select deleted_at is null from projects where id = $1", project_id)
    return living


async def test_pending_runs_end_with_their_project(house) -> None:
    run_ids = [await house.trigger(), await house.trigger(job=house.jobs["import"])]
    assert await delete(house) == frozenset()
    for run_id in run_ids:
        row = await house.row(run_id)
        assert (row["status"], row["outcome"]) == ("cancelled", "cancelled")
        assert row["completed_at"] is not None
        assert await house.facts(run_id) == ["triggered", "cancel_requested", "cancelled"]
    assert await house.conn.fetchval("select sum(runs) from run_totals where outcome = 'cancelled'") == 2


async def test_running_runs_are_asked_to_stop_and_their_workers_are_told(house) -> None:
    worker_id, held = await house.running()
    await house.trigger(job=house.jobs["import"])
    other = await house.enlist()
    (more,) = await house.claim(other)
    assert await delete(house) == {worker_id, other}
    for claimed, by in ((held, worker_id), (more, other)):
        row = await house.row(claimed.id)
        assert (row["status"], row["worker_id"]) == ("running", by)
        assert row["cancel_requested_at"] is not None
        renewed = await runs.renew(house.conn, by, lease=60, held=[(claimed.id, claimed.attempt)])
        assert renewed.to_cancel == {claimed.id}
        assert await runs.finish(house.conn, [Finish(claimed.id, claimed.attempt, "completed")]) == {claimed.id: "cancelled"}


async def test_a_worker_that_was_asked_before_is_not_told_again(house) -> None:
    _, held = await house.running()
    await runs.cancel(house.conn, house.actor, held.id)
    assert await delete(house) == frozenset()
    assert await house.facts(held.id) == ["triggered", "started", "cancel_requested"]


async def test_a_run_that_waits_for_its_next_attempt_ends(house) -> None:
    _, held = await house.running()
    await runs.finish(house.conn, [Finish(held.id, held.attempt, "retrying", error="E", delay=3600.0)])
    assert await delete(house) == frozenset()
    assert await status(house, held.id) == "cancelled"


async def test_who_asked_is_told_by_the_runs(house) -> None:
    run_id = await house.trigger()
    await delete(house)
    data = await house.conn.fetchval(
        "select data ->> 'by' from run_events where run_id = $1 and kind = 'cancel_requested'", run_id
    )
    assert data == house.actor.label


async def test_all_other_runs_stay_as_they_are(house) -> None:
    (ended,) = await some_ended(house, 1)
    _, held = await some_running(house, 2)
    pending = await house.trigger(project_id=await house.new_project())
    team_id, project_id = uuid7(), uuid7()
    await house.conn.execute("insert into teams (id, name, slug) values ($1, 'T', 'foreign')", team_id)
    insert = "insert into projects (id, team_id, name, slug, color) values ($1, $2, 'P', 'foreign', '#000000')"
    await house.conn.execute(insert, project_id, team_id)
    actor = Actor("user", uuid7(), {team_id: "owner"})
    foreign = (await runs.trigger(house.conn, actor, house.job, team_id=team_id, project_id=project_id)).id
    system = (await runs.trigger_system(house.conn, Actor.host(), house.jobs["sweep"])).id
    others = [ended, *[claimed.id for claimed in held], pending, foreign, system]
    own = await house.trigger()
    before = [await house.row(run_id) for run_id in others]
    await delete(house)
    assert [await house.row(run_id) for run_id in others] == before
    assert await status(house, own) == "cancelled"


async def test_runs_that_have_ended_are_kept_as_they_were(house) -> None:
    _, held = await house.running()
    await runs.finish(house.conn, [Finish(held.id, held.attempt, "completed")])
    before = await house.row(held.id)
    await delete(house)
    assert await house.row(held.id) == before
    assert await runs.find(house.conn, house.actor, held.id)


async def test_nothing_can_be_asked_for_in_a_deleted_project(house) -> None:
    (ended,) = await some_ended(house, 1)
    project_id = (await house.row(ended))["project_id"]
    await delete(house, project_id=project_id)
    with pytest.raises(NotFound, match=r"^Project not found\.$"):
        await house.trigger(project_id=project_id)
    with pytest.raises(NotFound, match=r"^Project not found\.$"):
        await runs.retry(house.conn, house.actor, ended, house.jobs)
    fates = await runs.retry_many(house.conn, house.team_id, [ended], house.jobs, triggered_by="test")
    assert fates == {"project_gone": 1}
    with pytest.raises(NotFound):
        await delete(house, project_id=project_id)


async def test_who_may_not_delete_the_project_ends_no_run(house) -> None:
    run_id = await house.trigger()
    key = Actor("api_key", uuid4(), {house.team_id: "owner"}, frozenset({"jobs:write", "projects:read"}))
    for actor, refusal in (
        (replace(house.actor, roles={house.team_id: "member"}), Forbidden),
        (key, Forbidden),
        (Actor("user", uuid4(), {uuid4(): "owner"}), NotFound),
    ):
        with pytest.raises(refusal):
            await runs.delete_project(house.conn, actor, house.project_id)
    assert await status(house, run_id) == "pending"
    assert await is_living(house, house.project_id)


async def test_a_deletion_that_is_rolled_back_ends_nothing(house, pool: Pool) -> None:
    run_id = await house.trigger()
    async with pool.acquire() as conn:
        deletion = conn.transaction()
        await deletion.start()
        await delete(house, conn)
        await deletion.rollback()
    assert await status(house, run_id) == "pending"
    assert await is_living(house, house.project_id)


# Two at once


async def in_own_transaction(pool: Pool, ask: Ask) -> object:
    """What became of it."""
    try:
        async with pool.transaction() as conn:
            return await ask(conn)
    except RequestError as error:
        return error


@pytest.fixture
async def asks(house) -> dict[str, Ask]:
    """Everything that makes a run for the house's project."""
    await house.trigger()
    worker_id = await house.enlist()
    (held,) = await house.claim(worker_id)
    await runs.finish(house.conn, [Finish(held.id, held.attempt, "failed", error="E")])
    where = {"team_id": house.team_id, "project_id": house.project_id}
    return {
        "trigger": lambda conn: runs.trigger(conn, house.actor, house.job, **where),
        "retry": lambda conn: runs.retry(conn, house.actor, held.id, house.jobs),
        "retry_many": lambda conn: runs.retry_many(conn, house.team_id, [held.id], house.jobs, triggered_by="test"),
    }


ASKS = ["trigger", "retry", "retry_many"]


@pytest.mark.parametrize("how", ASKS)
async def test_a_run_that_is_being_made_is_waited_for_and_cancelled(house, pool: Pool, asks: dict[str, Ask], how: str) -> None:
    async with pool.transaction() as conn:
        await asks[how](conn)
        deletion = asyncio.create_task(in_own_transaction(pool, lambda conn: delete(house, conn)))
        await somebody_waits(house.conn)
    assert await deletion == frozenset()
    made = await house.conn.fetch("select status from job_runs where status <> 'failed'")
    assert made == [("cancelled",)]


@pytest.mark.parametrize("how", ASKS)
async def test_who_asks_for_a_run_while_the_project_is_being_deleted_waits_and_is_told(
    house, pool: Pool, asks: dict[str, Ask], how: str
) -> None:
    async with pool.transaction() as conn:
        await delete(house, conn)
        asked = asyncio.create_task(in_own_transaction(pool, asks[how]))
        await somebody_waits(house.conn)
    answer = await asked
    assert isinstance(answer, NotFound) or answer == {"project_gone": 1}
    assert await house.conn.fetchval("select count(*) from job_runs where outcome is null") == 0


@pytest.mark.parametrize("how", ASKS)
async def test_who_asks_for_a_run_while_the_deletion_is_thought_better_of_gets_it(
    house, pool: Pool, asks: dict[str, Ask], how: str
) -> None:
    async with pool.acquire() as conn:
        deletion = conn.transaction()
        await deletion.start()
        await delete(house, conn)
        asked = asyncio.create_task(in_own_transaction(pool, asks[how]))
        await somebody_waits(house.conn)
        await deletion.rollback()
    assert not isinstance(await asked, RequestError)
    assert await house.conn.fetchval("select count(*) from job_runs where outcome is null") == 1


async def test_runs_of_other_projects_are_made_meanwhile(house, pool: Pool) -> None:
    other = await house.new_project()
    async with pool.transaction() as conn:
        await delete(house, conn)
        run_id = await house.trigger(project_id=other)
    assert await status(house, run_id) == "pending"


async def test_runs_made_at_the_same_time_do_not_wait_for_each_other(house, pool: Pool) -> None:
    """Each holds the project, as all of them may."""
    where = {"team_id": house.team_id, "project_id": house.project_id}
    async with pool.transaction() as conn:
        await runs.trigger(conn, house.actor, house.jobs["import"], **where)
        await house.trigger()
