"""Many runs are retried or cancelled by one request: counted first, then done by a run of its own."""

from __future__ import annotations

from typing import Any

import pytest

from api.world import World
from tawny.builtin import bulk


@pytest.fixture
async def filled(world: World) -> World:
    """Of `export` a run that failed, one that was cancelled and one that completed; of `import` one that is pending."""
    for status in ("failed", "cancelled", "completed"):
        await world.ended(status, project_id=str(await world.add_project()))
    await world.made(job_type="import")
    return world


async def matched(world: World, **body: Any) -> int:
    answer = await world.bulk(dry_run=True, **body)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"matched"}
    count: int = answer.json()["matched"]
    return count


async def refused(world: World, **body: Any) -> tuple[int, str]:
    answer = await world.bulk(**body)
    return answer.status_code, answer.json()["code"]


async def test_it_makes_a_run_that_is_looked_at_like_any_other(filled: World) -> None:
    answer = await filled.bulk(filter={"since": "1h", "job_type": "export"})
    assert (answer.status_code, answer.json()["matched"]) == (202, 2)
    run = answer.json()["job_run"]
    assert (run["job_type"], run["status"], run["project_id"]) == ("tawny.bulk", "pending", None)
    assert run["triggered_by"].startswith("manual:api_key:")
    assert run["params"]["action"] == "retry"
    assert run["params"]["filter"].keys() == {"since", "job_type", "until"}
    assert (await filled.view(run["id"])).json()["job_run"] == run
    assert (await filled.list(job_type="tawny.bulk")).json()["job_runs"] == [run]
    cancelled = await filled.cancel(run["id"], json={"include_pending": True})
    assert cancelled.json() == {"cancelled": True}


async def test_a_dry_run_only_counts(filled: World) -> None:
    assert await matched(filled) == 2
    assert await matched(filled, filter={}) == 2
    assert await matched(filled, filter=None) == 2
    assert await matched(filled, filter={"status": "completed"}) == 1
    assert await matched(filled, filter={"job_type": "import"}) == 0
    assert await matched(filled, filter={"project_id": str(filled.project_id)}) == 0
    assert await matched(filled, filter={"until": "1h"}) == 0
    assert await matched(filled, filter={"since": "1h", "until": "2999-01-01"}) == 2
    assert await matched(filled, action="cancel") == 1
    assert await matched(filled, action="cancel", filter={"status": "running"}) == 0
    assert (await filled.list(job_type="tawny.bulk")).json()["job_runs"] == []


async def test_where_nothing_matches_there_is_nothing_to_do(world: World) -> None:
    assert await matched(world) == 0
    assert await refused(world) == (400, "nothing_matches")


async def test_what_belongs_to_another_team_does_not_match(filled: World) -> None:
    other, _ = await filled.add_team()
    key = await filled.add_key(team_id=other)
    assert (await filled.bulk(as_=key, team_id=other, dry_run=True)).json() == {"matched": 0}


@pytest.mark.parametrize("dry_run", [False, True])
async def test_too_many_are_refused_and_told_to_be_narrowed(
    filled: World, monkeypatch: pytest.MonkeyPatch, dry_run: bool
) -> None:
    monkeypatch.setattr(bulk, "AT_MOST", 1)
    answer = await filled.bulk(dry_run=dry_run)
    assert (answer.status_code, answer.json()["code"]) == (400, "too_many")
    assert "narrow the filter" in answer.json()["error"]
    assert (await filled.bulk(filter={"status": "failed"}, dry_run=dry_run)).status_code in (200, 202)


async def test_of_each_action_one_may_be_under_way(filled: World) -> None:
    first = (await filled.bulk()).json()["job_run"]["id"]
    again = await filled.bulk(filter={"status": "completed"})
    assert (again.status_code, again.json()["existing_run_id"]) == (409, first)
    assert (await filled.bulk(dry_run=True)).status_code == 200
    other = await filled.bulk(action="cancel", filter={"job_type": "import"})
    assert (other.status_code, other.json()["matched"]) == (202, 1)


async def test_the_runs_of_a_bulk_action_are_made_by_nobody_else(world: World) -> None:
    answer = await world.trigger(job_type="tawny.bulk", params={})
    assert (answer.status_code, answer.json()["code"]) == (400, "builtin_job")
    names = [job["name"] for job in (await world.send("GET", "/v1/job-types")).json()["job_types"]]
    assert "tawny.bulk" not in names


WRONG = [
    ({"action": ...}, "missing_field", "action is required."),
    ({"action": "delete"}, "invalid_field", "action should be 'retry' or 'cancel'."),
    ({"dry_run": "yes"}, "invalid_field", "dry_run should be true or false."),
    ({"filter": []}, "invalid_field", "filter should be an object."),
    ({"all": True}, "unknown_field", "The body has an unknown field: all."),
    ({"filter": {"limit": 5}}, "unknown_field", "The body has an unknown field: filter.limit."),
    ({"filter": {"job_type": "A B"}}, "invalid_field", "filter.job_type should be the name of a job type."),
    ({"filter": {"job_type": 5}}, "invalid_field", "filter.job_type should be a text."),
    ({"filter": {"project_id": "p"}}, "invalid_field", "filter.project_id should be a UUID."),
    ({"filter": {"since": "soon"}}, "invalid_field", "filter.since should be like 30s, "),
    ({"filter": {"until": 5}}, "invalid_field", "filter.until should be a text."),
    ({"filter": {"status": "lost"}}, "invalid_field", "filter.status should be 'pending', "),
    ({"filter": {"status": "running"}}, "invalid_field", "filter.status should be failed, cancelled or completed for a retry."),
    (
        {"action": "cancel", "filter": {"status": "failed"}},
        "invalid_field",
        "filter.status should be pending or running for a cancel.",
    ),
]


@pytest.mark.parametrize(("body", "code", "sentence"), WRONG)
async def test_a_wrong_body_is_refused_by_name(world: World, body: dict[str, Any], code: str, sentence: str) -> None:
    sent = {name: value for name, value in ({"action": "retry"} | body).items() if value is not ...}
    answer = await world.send("POST", f"/v1/teams/{world.team_id}/jobs/bulk", json=sent)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer.json()["error"].startswith(sentence)


async def test_null_means_absent(filled: World) -> None:
    nothing = dict.fromkeys(("job_type", "status", "project_id", "since", "until"))
    answer = await filled.bulk(filter=nothing, dry_run=None)
    assert (answer.status_code, answer.json()["matched"]) == (202, 2)
    assert answer.json()["job_run"]["params"]["filter"].keys() == {"until"}
