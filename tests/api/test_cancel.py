"""POST /v1/jobs/:runId/cancel."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from api.world import World
from tawny import runs
from tawny.db.pool import Connection


async def test_a_running_run_can_be_cancelled_and_its_worker_learns_of_it(world: World) -> None:
    worker_id, claimed = await world.running()
    answer = await world.cancel(claimed.id)
    assert (answer.status_code, answer.json()) == (200, {"cancelled": True})
    renewed = await runs.renew(world.conn, worker_id, lease=60, held=[(claimed.id, claimed.attempt)])
    assert renewed is not None
    assert renewed.to_cancel == {claimed.id}


async def test_the_run_goes_on_running_until_its_handler_stops(world: World) -> None:
    _, claimed = await world.running()
    await world.cancel(claimed.id)
    assert (await world.view(claimed.id)).json()["job_run"]["status"] == "running"
    await world.finish(claimed, "completed", result='{"exported": 9}')
    run = (await world.view(claimed.id)).json()["job_run"]
    assert (run["status"], run["result"], run["error"]) == ("cancelled", {"exported": 9}, None)


async def test_asking_again_before_that_is_granted_again(world: World) -> None:
    _, claimed = await world.running()
    assert [(await world.cancel(claimed.id)).status_code for _ in range(3)] == [200] * 3
    assert await world.conn.fetchval("select count(*) from run_events where kind = 'cancel_requested'") == 1


async def test_the_worker_is_woken_by_its_id(world: World, direct_conn: Connection) -> None:
    worker_id, claimed = await world.running()
    heard: asyncio.Queue[object] = asyncio.Queue()
    await direct_conn.add_listener("tawny", lambda *told: heard.put_nowait(told[-1]))
    await world.cancel(claimed.id)
    message = await asyncio.wait_for(heard.get(), 10)
    while message == "run":  # from the trigger
        message = await asyncio.wait_for(heard.get(), 10)
    assert message == str(worker_id)


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
async def test_a_run_that_has_ended_cannot_be_cancelled_and_the_400_names_its_status(world: World, status: str) -> None:
    _, claimed = await world.running()
    await world.finish(claimed, status)
    answer = await world.cancel(claimed.id)
    assert (answer.status_code, answer.json()["code"]) == (400, "not_running")
    assert status in answer.json()["error"]


@pytest.mark.parametrize("body", [{}, {"include_pending": False}, {"include_pending": None}])
async def test_a_pending_run_cannot_be_cancelled_either_unless_that_is_asked_for(world: World, body: dict[str, Any]) -> None:
    answer = await world.cancel(await world.made(), json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "not_running")
    assert "pending; with include_pending" in answer.json()["error"]


async def test_with_include_pending_a_pending_run_is_cancelled_at_once(world: World) -> None:
    run_id = await world.made()
    answer = await world.cancel(run_id, json={"include_pending": True})
    assert (answer.status_code, answer.json()) == (200, {"cancelled": True})
    run = (await world.view(run_id)).json()["job_run"]
    assert (run["status"], run["started_at"], run["error"]) == ("cancelled", None, None)
    assert run["completed_at"]
    assert (await world.trigger()).status_code == 201


async def test_unknown_foreign_malformed_and_system_runs_are_the_same_404(world: World) -> None:
    _, claimed = await world.running()
    other_team, _ = await world.add_team()
    stranger = await world.add_key(team_id=other_team)
    unknown: list[UUID | str] = [uuid4(), await world.system_run(), "abc", f"{{{claimed.id}}}", claimed.id.hex]
    answers = [await world.cancel(claimed.id, as_=stranger), *[await world.cancel(id_) for id_ in unknown]]
    assert [answer.status_code for answer in answers] == [404] * len(answers)
    assert len({answer.content for answer in answers}) == 1
    assert await world.conn.fetchval("select count(*) from job_runs where cancel_requested_at is not null") == 0


async def test_a_running_system_run_leaks_nothing_of_its_status(world: World) -> None:
    run_id = await world.system_run()
    worker_id = await runs.enlist(world.conn, name="test:1", version="0", lease=60)
    await runs.claim(world.conn, worker_id, job_types=["sweep"], slots=1)
    answer = await world.cancel(run_id)
    assert (answer.status_code, answer.content) == (404, (await world.cancel(uuid4())).content)


async def test_any_member_of_the_team_may_cancel(world: World) -> None:
    _, claimed = await world.running()
    assert (await world.cancel(claimed.id, as_=await world.token_of("member"))).status_code == 200


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"headers": {"content-length": "0"}},
        {"headers": {"content-type": "application/json"}},
        {"headers": {"content-type": "text/plain"}},
        {"json": {}},
    ],
)
async def test_the_body_may_be_absent_or_empty_or_an_object(world: World, more: dict[str, Any]) -> None:
    _, claimed = await world.running()
    assert (await world.cancel(claimed.id, **more)).status_code == 200


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"json": {"now": True}}, 400, "unknown_field"),
        ({"json": {"include_pending": "yes"}}, 400, "invalid_field"),
        ({"json": []}, 400, "must_be_object"),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400, "invalid_json"),
        ({"content": b"{}", "headers": {"content-type": "text/plain"}}, 415, "unsupported_media_type"),
        ({"content": b"{}"}, 415, "unsupported_media_type"),
    ],
)
async def test_another_body_is_refused_and_cancels_nothing(world: World, more: dict[str, Any], status: int, code: str) -> None:
    _, claimed = await world.running()
    answer = await world.cancel(claimed.id, **more)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not await world.conn.fetchval("select cancel_requested_at from job_runs")


async def test_of_a_cancel_and_a_finish_at_once_one_wins_and_the_reply_tells_which(world: World) -> None:
    for _ in range(20):
        _, claimed = await world.running()
        answer, _ = await asyncio.gather(world.cancel(claimed.id), world.finish(claimed))
        status = (await world.view(claimed.id)).json()["job_run"]["status"]
        assert (answer.status_code, status) in ((200, "cancelled"), (400, "completed"))
