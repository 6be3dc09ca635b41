"""GET /v1/jobs/:runId."""

from __future__ import annotations

import json
import re
from typing import Any
from uuid import UUID, uuid4

import pytest

from api.world import World
from tawny.runs import FIELDS


async def viewed(world: World, run_id: Any) -> dict[str, Any]:
    answer = await world.view(run_id)
    assert answer.status_code == 200
    assert list(answer.json()) == ["job_run"]
    run: dict[str, Any] = answer.json()["job_run"]
    return run


async def test_a_run_has_exactly_its_fourteen_fields_in_every_answer(world: World) -> None:
    made = (await world.trigger()).json()["job_run"]
    listed = (await world.list()).json()["job_runs"][0]
    assert tuple(await viewed(world, made["id"])) == tuple(made) == tuple(listed) == FIELDS
    assert len(FIELDS) == 14


async def test_a_pending_run_was_not_started(world: World) -> None:
    run = await viewed(world, await world.made())
    assert (run["status"], run["started_at"], run["completed_at"], run["error"]) == ("pending", None, None, None)


async def test_a_running_run_was_started_and_shows_its_progress(world: World) -> None:
    _, claimed = await world.running()
    progress = {"processed": 3, "total": 10, "message": "3 of 10 “done”\n"}
    await world.conn.execute("update job_runs set progress = $1", json.dumps(progress))
    run = await viewed(world, claimed.id)
    assert (run["status"], run["completed_at"], run["progress"]) == ("running", None, progress)
    assert run["created_at"] <= run["started_at"]


async def test_a_completed_run_has_a_result_and_all_of_its_progress(world: World) -> None:
    _, claimed = await world.running()
    await world.finish(claimed, result='{"exported": 7}', progress='{"processed": 3, "total": 10}')
    run = await viewed(world, claimed.id)
    assert (run["status"], run["result"], run["error"]) == ("completed", {"exported": 7}, None)
    assert run["progress"] == {"processed": 10, "total": 10}
    assert run["started_at"] <= run["completed_at"]


async def test_a_run_whose_handler_returned_nothing_is_completed_without_a_result(world: World) -> None:
    _, claimed = await world.running()
    await world.finish(claimed)
    run = await viewed(world, claimed.id)
    assert (run["status"], run["result"], run["progress"]) == ("completed", None, None)


@pytest.mark.parametrize("result", [None, '{"exported": 2}'])
async def test_a_failed_run_keeps_its_last_progress_and_says_why(world: World, result: str | None) -> None:
    _, claimed = await world.running()
    error = 'It said "no"\n\\ and \u2028 left'
    await world.finish(claimed, "failed", error=error, result=result, progress='{"processed": 3, "total": 10}')
    run = await viewed(world, claimed.id)
    assert (run["status"], run["error"], run["progress"]) == ("failed", error, {"processed": 3, "total": 10})
    assert run["result"] == (None if result is None else {"exported": 2})
    assert run["completed_at"]


async def test_a_cancelled_run_keeps_its_last_progress_and_its_result(world: World) -> None:
    _, claimed = await world.running()
    assert (await world.cancel(claimed.id)).status_code == 200
    await world.finish(claimed, "failed", error="broke", result='{"exported": 2}', progress='{"processed": 3, "total": 10}')
    run = await viewed(world, claimed.id)
    assert (run["status"], run["error"], run["result"]) == ("cancelled", None, {"exported": 2})
    assert run["progress"] == {"processed": 3, "total": 10}


async def test_times_are_utc_with_milliseconds(world: World) -> None:
    _, claimed = await world.running()
    await world.finish(claimed)
    await viewed(world, claimed.id)
    run = await viewed(world, claimed.id)
    for name in ("created_at", "started_at", "completed_at"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", run[name])


async def test_a_run_of_a_schedule_says_so(world: World) -> None:
    run_id = await world.made()
    await world.conn.execute("update job_runs set triggered_by = 'schedule' where id = $1", run_id)
    assert (await viewed(world, run_id))["triggered_by"] == "schedule"


async def test_any_member_of_the_team_may_look(world: World) -> None:
    run_id = await world.made()
    assert (await world.view(run_id, as_=await world.token_of("member"))).status_code == 200


async def test_unknown_foreign_malformed_and_system_runs_are_the_same_404(world: World) -> None:
    run_id = await world.made()
    other_team, _ = await world.add_team()
    stranger = await world.add_key(team_id=other_team)
    mine = str(run_id)
    unknown: list[UUID | str] = [
        uuid4(),
        await world.system_run(),
        "abc",
        "x" * 36,
        f"{{{mine}}}",
        f"urn:uuid:{mine}",
        mine.replace("-", ""),
        f"{mine}%00",
        f" {mine}",
    ]
    answers = [await world.view(run_id, as_=stranger), *[await world.view(id_) for id_ in unknown]]
    assert [answer.status_code for answer in answers] == [404] * len(answers)
    assert len({answer.content for answer in answers}) == 1


async def test_an_id_may_be_in_upper_case(world: World) -> None:
    run_id = await world.made()
    assert (await viewed(world, str(run_id).upper()))["id"] == str(run_id)


async def test_head_answers_as_get_without_a_body(world: World) -> None:
    run_id = await world.made()
    full, head = await world.view(run_id), await world.send("HEAD", f"/v1/jobs/{run_id}")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(full.content))
