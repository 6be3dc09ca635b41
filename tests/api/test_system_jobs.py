"""Runs of no team, which only the operator sees."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from api.world import World, refusal

PATH = "/v1/system/jobs"


@pytest.fixture
async def operator(world: World) -> str:
    return await world.add_key("system:read")


async def ended(world: World) -> str:
    run_id = await world.system_run()
    await world.conn.execute("update job_runs set status = 'completed', completed_at = now() where id = $1", run_id)
    return str(run_id)


async def listed(world: World, operator: str, **params: Any) -> dict[str, Any]:
    answer = await world.send("GET", PATH, as_=operator, params=params)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


async def test_the_operator_sees_system_runs_newest_first_and_no_others(world: World, operator: str) -> None:
    made = [await ended(world) for _ in range(3)]
    await world.made()
    page = await listed(world, operator)
    assert [run["id"] for run in page["job_runs"]] == made[::-1]
    assert (page["cursor"], page["has_more"]) == (None, False)
    run = page["job_runs"][0]
    assert (run["team_id"], run["project_id"], run["job_type"], run["status"]) == (None, None, "sweep", "completed")


async def test_a_walk_by_cursor_meets_each_once(world: World, operator: str) -> None:
    made = [await ended(world) for _ in range(5)]
    seen, cursor = [], {}
    while True:
        page = await listed(world, operator, limit=2, **cursor)
        seen += [run["id"] for run in page["job_runs"]]
        if not page["has_more"]:
            break
        cursor = {"cursor": page["cursor"]}
    assert seen == made[::-1]


async def test_they_can_be_asked_for_by_job_type(world: World, operator: str) -> None:
    made = await ended(world)
    assert [run["id"] for run in (await listed(world, operator, job_type="sweep"))["job_runs"]] == [made]
    assert (await listed(world, operator, job_type="tawny.clean_up"))["job_runs"] == []


async def test_only_the_operators_key_opens_it(world: World) -> None:
    assert refusal(await world.send("GET", PATH)) == (403, "insufficient_permission")
    assert refusal(await world.send("GET", PATH, as_=await world.token(world.owner_id))) == (403, "host_only")
    assert refusal(await world.send("GET", PATH, as_=None)) == (401, "unauthenticated")


@pytest.mark.parametrize("params", [{"limit": "0"}, {"limit": "201"}, {"cursor": "x"}, {"job_type": "A B"}, {"job_type": ""}])
async def test_a_wrong_parameter_is_refused_by_name(world: World, operator: str, params: dict[str, str]) -> None:
    answer = await world.send("GET", PATH, as_=operator, params=params)
    assert answer.status_code == 400
    assert next(iter(params)) in answer.json()["error"]


async def test_the_operators_key_sees_nothing_else(world: World, operator: str) -> None:
    run_id = await world.made()
    for path in (f"/v1/teams/{world.team_id}/jobs", f"/v1/jobs/{run_id}", f"/v1/jobs/{uuid4()}"):
        assert refusal(await world.send("GET", path, as_=operator)) == (403, "insufficient_permission")
