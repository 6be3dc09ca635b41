"""`Idempotency-Key`: one run and one answer for all requests that carry the same."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from api.world import World

REPLAYED = "idempotency-replayed"


async def test_the_same_request_gets_the_same_bytes_and_is_told_that_it_is_a_replay(world: World) -> None:
    first, again = [await world.trigger(key="k", params={"month": "2026-02"}) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 201)
    assert (first.headers.get(REPLAYED), again.headers.get(REPLAYED)) == (None, "true")
    assert again.content == first.content


async def test_also_after_the_run_has_ended(world: World) -> None:
    first = await world.trigger(key="k")
    await world.conn.execute("update job_runs set status = 'cancelled', completed_at = now()")
    again = await world.trigger(key="k")
    assert (again.status_code, again.content) == (201, first.content)
    assert (await world.trigger(key="another")).json()["job_run"]["id"] != first.json()["job_run"]["id"]


async def test_also_when_somebody_else_of_the_team_sends_it(world: World) -> None:
    first = await world.trigger(key="k")
    assert (await world.trigger(key="k", as_=await world.token_of("admin"))).content == first.content


@pytest.mark.parametrize("changes", [{"params": {"count": 2}}, {"notify": True}, {"job_type": "import"}])
async def test_another_body_with_the_key_is_a_422(world: World, changes: dict[str, Any]) -> None:
    await world.trigger(key="k")
    answer = await world.trigger(key="k", **changes)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert await world.conn.fetchval("select count(*) from job_runs") == 1


async def test_another_project_with_the_key_is_a_422(world: World) -> None:
    await world.trigger(key="k")
    answer = await world.trigger(key="k", project_id=str(await world.add_project()))
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert await world.conn.fetchval("select count(*) from job_runs") == 1


@pytest.mark.parametrize(
    "lines",
    [
        ["idempotency-key:"],
        ["idempotency-key:   "],
        [f"idempotency-key: {'x' * 256}"],
        ["idempotency-key: schlüssel"],
        ["idempotency-key: a\tb"],
        ["idempotency-key: a", "idempotency-key: a"],
    ],
    ids=["empty", "blank", "256 characters", "not ASCII", "a tab", "two headers"],
)
async def test_a_key_that_is_none_is_refused_and_makes_nothing(world: World, lines: list[str]) -> None:
    body = f'{{"job_type": "export", "project_id": "{world.project_id}"}}'.encode()
    answer = await world.post_bytes(body, "content-type: application/json", *lines)
    assert answer.status == 400
    assert b'"code":"invalid_idempotency_key"' in answer.body
    assert await world.conn.fetchval("select count(*) from job_runs") == 0


@pytest.mark.parametrize("key", ["x", "x" * 255, "two words", '"quoted"', "~!@#$%^&*()_+{}|:<>?`-=[];',./\\"])
async def test_any_printable_ascii_is_a_key(world: World, key: str) -> None:
    first, again = [await world.trigger(key=key) for _ in range(2)]
    assert (first.status_code, again.content) == (201, first.content)


async def test_a_refusal_is_not_kept(world: World) -> None:
    run_id = await world.made()
    assert (await world.trigger(key="k")).status_code == 409
    await world.conn.execute("delete from job_runs where id = $1", run_id)
    answer = await world.trigger(key="k")
    assert (answer.status_code, answer.headers.get(REPLAYED)) == (201, None)


async def test_who_may_not_trigger_gets_no_stored_answer(world: World) -> None:
    await world.trigger(key="k")
    assert (await world.trigger(key="k", as_=await world.token_of("member"))).status_code == 403
    assert (await world.trigger(key="k", params={"count": "many"})).status_code == 400


async def test_keys_of_two_teams_have_nothing_to_do_with_each_other(world: World) -> None:
    await world.trigger(key="k")
    other_team, owner = await world.add_team()
    project_id = await world.add_project(other_team)
    answer = await world.trigger(key="k", as_=await world.token(owner), team_id=other_team, project_id=str(project_id))
    assert (answer.status_code, answer.headers.get(REPLAYED)) == (201, None)


async def test_of_50_at_once_one_makes_the_run_and_all_get_its_answer(world: World) -> None:
    answers = await asyncio.gather(*(world.trigger(key="k") for _ in range(50)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert Counter(answer.headers.get(REPLAYED) for answer in answers) == {None: 1, "true": 49}
    assert await world.conn.fetchval("select count(*) from job_runs") == 1


async def test_of_a_key_with_two_bodies_at_once_one_is_granted(world: World) -> None:
    projects = [str(await world.add_project()) for _ in range(20)]
    answers = await asyncio.gather(*(world.trigger(key="k", project_id=project) for project in projects))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 422: 19}
    assert await world.conn.fetchval("select count(*) from job_runs") == 1
