"""POST /v1/jobs/:runId/retry."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from api.world import World
from tawny.db.pool import Connection


async def test_a_retry_answers_201_with_a_new_pending_run(world: World) -> None:
    old = await world.ended("failed", params={"month": "2026-02"}, notify=True)
    answer = await world.retry(old, as_=await world.token(world.owner_id))
    assert answer.status_code == 201
    before, after = (await world.view(old)).json()["job_run"], answer.json()["job_run"]
    assert after["id"] != before["id"]
    assert after["triggered_by"] == f"manual:user:{world.owner_id}"
    same = ("job_type", "team_id", "project_id", "params", "notify")
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert (after["status"], after["started_at"], after["error"]) == ("pending", None, None)


async def test_a_run_that_has_not_ended_is_a_400_that_names_its_status(world: World) -> None:
    _, claimed = await world.running()
    answer = await world.retry(claimed.id)
    assert (answer.status_code, answer.json()["code"]) == (400, "not_ended")
    assert "running" in answer.json()["error"]


async def test_unknown_foreign_malformed_and_system_runs_are_the_same_404(world: World) -> None:
    old = await world.ended()
    other_team, _ = await world.add_team()
    stranger = await world.add_key(team_id=other_team)
    unknown: list[UUID | str] = [uuid4(), await world.system_run(), "abc", f"{{{old}}}", old.hex]
    answers = [await world.retry(old, as_=stranger), *[await world.retry(id_) for id_ in unknown]]
    assert [answer.status_code for answer in answers] == [404] * len(answers)
    assert len({answer.content for answer in answers}) == 1
    assert await world.conn.fetchval("select count(*) from job_runs where team_id is not null") == 1


async def test_an_active_run_is_a_409_that_names_it(world: World) -> None:
    old = await world.ended()
    active = await world.made()
    answer = await world.retry(old)
    assert (answer.status_code, answer.json()["existing_run_id"]) == (409, str(active))


async def test_the_same_key_gets_the_same_answer(world: World) -> None:
    old = await world.ended()
    first, again = [await world.retry(old, key="k") for _ in range(2)]
    assert (first.status_code, again.content) == (201, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert (await world.retry(await world.ended(project_id=str(await world.add_project())), key="k")).status_code == 422
    assert (await world.retry(old, key="")).status_code == 400


@pytest.mark.parametrize("more", [{}, {"json": {}}, {"headers": {"content-type": "application/json"}}])
async def test_the_body_may_be_absent_or_empty_or_an_object(world: World, more: dict[str, Any]) -> None:
    assert (await world.retry(await world.ended(), **more)).status_code == 201


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"json": {"params": {"month": "2026-03"}}}, 400, "unknown_field"),
        ({"json": []}, 400, "must_be_object"),
        ({"content": b"{}"}, 415, "unsupported_media_type"),
    ],
)
async def test_another_body_is_refused(world: World, more: dict[str, Any], status: int, code: str) -> None:
    answer = await world.retry(await world.ended(), **more)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_waiting_worker_is_woken(world: World, direct_conn: Connection) -> None:
    heard: asyncio.Queue[object] = asyncio.Queue()
    await direct_conn.add_listener("tawny", lambda *told: heard.put_nowait(told[-1]))
    old = await world.ended()
    assert await asyncio.wait_for(heard.get(), 10) == "run"  # from the trigger
    await world.retry(old)
    assert await asyncio.wait_for(heard.get(), 10) == "run"
