"""GET /v1/teams/:teamId/jobs/counts."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from api.world import World, refusal


async def counts(world: World, **params: Any) -> Any:
    answer = await world.send("GET", f"/v1/teams/{world.team_id}/jobs/counts", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_runs_are_counted_by_status(world: World) -> None:
    for status in ("failed", "failed", "cancelled"):
        await world.ended(status)
    await world.running(project_id=str(await world.add_project()))
    assert {status: found["count"] for status, found in (await counts(world)).items()} == {
        "pending": 0,
        "running": 1,
        "completed": 0,
        "failed": 2,
        "cancelled": 1,
    }


async def test_the_filters_of_a_list_narrow_it(world: World) -> None:
    await world.ended("failed")
    assert (await counts(world, job_type="import"))["failed"]["count"] == 0
    assert (await counts(world, job_type="export", project_id=world.project_id, since="1h"))["failed"]["count"] == 1
    assert (await counts(world, until="1h"))["failed"]["count"] == 0


async def test_a_count_that_stopped_says_so(world: World) -> None:
    for _ in range(3):
        await world.ended()
    with patch("tawny.runs.find.COUNTED", 2):
        assert (await counts(world))["completed"] == {"count": 2, "capped": True}
        assert (await counts(world))["failed"] == {"count": 0, "capped": False}


@pytest.mark.parametrize("params", [{"job_type": "A B"}, {"project_id": "x"}, {"since": "infinity"}])
async def test_a_wrong_parameter_is_refused_by_name(world: World, params: dict[str, str]) -> None:
    answer = await world.send("GET", f"/v1/teams/{world.team_id}/jobs/counts", params=params)
    assert refusal(answer) == (400, "invalid_parameter")
    assert answer.json()["parameter"] == next(iter(params))
