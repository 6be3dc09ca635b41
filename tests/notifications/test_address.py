"""Who is told of a run's end: written by the statement that ends it, and for nobody else."""

from __future__ import annotations

import pytest
from tests.notifications.conftest import HOST, JOBS_KEY, Street

from tawny import access, runs
from tawny.access import Actor
from tawny.runs import Crash

ALERTS = "operator@example.com"


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
async def test_each_end_of_a_run_that_notifies_leaves_a_notice(street: Street, status: str) -> None:
    run_id = await street.ended(status)
    assert await street.notices() == {run_id}


async def test_runs_that_nobody_listens_to_leave_none(street: Street) -> None:
    run_id = await street.trigger(notify=False)
    await street.end(run_id)
    assert await street.notices() == set()


async def test_a_run_that_is_tried_again_leaves_none_yet(street: Street) -> None:
    run_id = await street.trigger()
    await street.end(run_id, "retrying", delay=0.0)
    assert await street.notices() == set()
    await street.end(run_id, "failed")
    assert await street.notices() == {run_id}


async def test_a_pending_run_that_is_cancelled_leaves_one(street: Street) -> None:
    run_id = await street.trigger()
    await runs.cancel(street.conn, street.olive, run_id, include_pending=True)
    assert await street.notices() == {run_id}


async def test_a_run_that_crashes_for_good_leaves_one(street: Street) -> None:
    run_id = await street.trigger()
    for attempt in (1, 2, 3):
        assert await street.notices() == set()
        worker_id = await runs.enlist(street.conn, name="test:2", version="0", lease=600)
        await runs.claim(street.conn, worker_id, job_types=["export"], slots=1)
        await runs.take_back(street.conn, [Crash(run_id, attempt, "a test")])
    assert await street.notices() == {run_id}


async def test_a_run_that_is_given_back_after_a_cancel_leaves_one(street: Street) -> None:
    run_id = await street.trigger()
    worker_id = await runs.enlist(street.conn, name="test:2", version="0", lease=600)
    await runs.claim(street.conn, worker_id, job_types=["export"], slots=1)
    await runs.cancel(street.conn, street.olive, run_id)
    async with street.conn.transaction():
        await runs.release(street.conn, [(run_id, 1)])
    assert await street.notices() == {run_id}


async def test_a_notice_comes_and_goes_with_its_transaction(street: Street) -> None:
    run_id = await street.trigger()
    transaction = street.conn.transaction()
    await transaction.start()
    await street.end(run_id)
    await transaction.rollback()
    assert await street.notices() == set()


async def test_a_mail_goes_to_the_user_who_triggered(street: Street) -> None:
    bert = await street.member("bert@example.com")
    run_id = await street.ended("failed", bert)
    assert await street.address() == 1
    (delivery,) = await street.deliveries()
    assert (delivery["address"], delivery["event"], delivery["run_id"]) == ("bert@example.com", "failed", run_id)
    assert (delivery["channel"], delivery["status"], delivery["team_id"]) == ("mail", "pending", street.team_id)
    assert await street.notices() == set()
    assert await street.address() == 0, "a notice is taken once"


async def test_a_mail_about_a_keys_run_goes_to_the_maker_of_the_key(street: Street) -> None:
    bert = await street.member("bert@example.com")
    await street.ended(actor=await street.key(bert))
    await street.address()
    assert [delivery["address"] for delivery in await street.deliveries()] == ["bert@example.com"]


async def test_a_mail_about_a_run_of_a_key_of_the_host_goes_to_the_first_owner(street: Street) -> None:
    await street.member("bert@example.com", "owner")
    key, _ = await access.create_key(street.conn, HOST, street.team_id, name="host", permissions=JOBS_KEY)
    await street.ended(actor=Actor("api_key", key.id, {street.team_id: "owner"}, frozenset(JOBS_KEY)))
    await street.address()
    assert [delivery["address"] for delivery in await street.deliveries()] == ["olive@example.com"]


async def test_who_has_left_the_team_is_told_nothing(street: Street) -> None:
    bert = await street.member("bert@example.com")
    key = await street.key(bert)
    await street.ended(actor=bert)
    await street.ended(actor=key)
    await access.remove_member(street.conn, street.olive, street.team_id, bert.id)
    assert await street.address() == 2
    assert await street.deliveries() == []


@pytest.mark.parametrize(("status", "told"), [("completed", []), ("failed", [ALERTS]), ("cancelled", [ALERTS])])
async def test_the_operator_is_told_of_system_runs_that_went_wrong(street: Street, status: str, told: list[str]) -> None:
    run_id = await street.trigger_system()
    if status == "cancelled":  # nobody can ask for that over the API
        await street.conn.execute("update job_runs set cancel_requested_at = now() where id = $1", run_id)
    await street.end(run_id, "failed" if status == "cancelled" else status)
    await street.address(ALERTS)
    deliveries = await street.deliveries()
    assert [delivery["address"] for delivery in deliveries] == told
    assert all(delivery["team_id"] is None for delivery in deliveries)


async def test_without_an_address_nobody_is_told_of_system_runs(street: Street) -> None:
    await street.end(await street.trigger_system(), "failed")
    assert await street.address(None) == 1
    assert await street.deliveries() == []


async def test_notices_that_somebody_else_takes_are_stepped_over(street: Street) -> None:
    ids = {await street.ended(), await street.ended()}
    async with street.pool.transaction() as other:
        await other.fetch("select run_id from notices order by run_id limit 1 for update")
        assert await street.address() == 1
    assert await street.address() == 1
    assert {delivery["run_id"] for delivery in await street.deliveries()} == ids
