"""GET /v1/teams/:teamId/jobs/errors, and lists and bulk actions by what it tells."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from api.world import World, is_time, refusal


async def errors(world: World, **params: Any) -> dict[str, Any]:
    answer = await world.send("GET", f"/v1/teams/{world.team_id}/jobs/errors", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def failed(world: World, error: str, **body: Any) -> str:
    _, claimed = await world.running(**body)
    await world.finish(claimed, "failed", error=error)
    return str(claimed.id)


async def shape(world: World, error: str) -> str:
    found: str = await world.conn.fetchval("select error_shape($1)", error)
    return found


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("row 17 of 2026-01-31T12:00:00.5Z", "row # of #"),
        ("user 01890a5d-ac96-774b-bcce-b302099a8057 not found", "user # not found"),
        ("no customer cus_9aB3kd", "no customer #"),
        ("ann.b@example.com and bo@example.org", "# and #"),
        ("[Errno 104] at 10.0.0.1:5432", "[Errno #] at #"),
        ("0x7f3a: division by zero", "#: division by zero"),
        ("größe 5 µm", "größe # µm"),
        ("", ""),
    ],
)
async def test_what_differs_from_run_to_run_is_taken_out(world: World, error: str, expected: str) -> None:
    assert await shape(world, error) == expected


async def test_only_the_beginning_of_an_error_counts(world: World) -> None:
    assert await shape(world, "a" * 500 + "b") == "a" * 500


async def test_failures_that_are_alike_are_one_group(world: World) -> None:
    first = await failed(world, "HTTP 503 from 10.0.0.1")
    last = await failed(world, "HTTP 502 from 10.0.0.2")
    other = await failed(world, "no rows")
    await failed(world, "HTTP 503 from 10.0.0.1", job_type="import")
    await world.ended("completed")
    found = await errors(world)
    assert (found["looked_at"], found["capped"], found["found"]) == (4, False, 3)
    group = found["errors"][0]
    assert (group["job_type"], group["runs"], group["newest_run_id"], group["error"]) == (
        "export",
        2,
        last,
        "HTTP 502 from 10.0.0.2",
    )
    assert is_time(group["first_seen_at"])
    assert group["first_seen_at"] <= group["last_seen_at"]
    assert {entry["newest_run_id"] for entry in found["errors"]} >= {last, other} - {first}


async def test_groups_can_be_of_one_project_or_type_or_time(world: World) -> None:
    other = await world.add_project()
    await failed(world, "no rows")
    await failed(world, "no rows", job_type="import")
    await failed(world, "no rows", project_id=str(other))
    for params, runs in [
        ({}, [2, 1]),
        ({"project_id": other}, [1]),
        ({"job_type": "import"}, [1]),
        ({"project_id": other, "job_type": "import"}, []),
        ({"since": "1h"}, [2, 1]),
        ({"since": "2999-01-01"}, []),
    ]:
        assert [group["runs"] for group in (await errors(world, **params))["errors"]] == runs, params


async def test_runs_of_others_are_in_no_group(world: World) -> None:
    team, _ = await world.add_team()
    project, key = await world.add_project(team), await world.add_key(team_id=team)
    await failed(world, "theirs", as_=key, team_id=team, project_id=str(project))
    assert (await errors(world)) == {"errors": [], "looked_at": 0, "capped": False, "found": 0}


async def test_looking_stops_at_a_bound_and_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    room = import_module("tawny.history.error_groups")
    monkeypatch.setattr(room, "LOOKED_AT", 3)
    monkeypatch.setattr(room, "SHOWN", 1)
    for error in ("old", "new", "new", "newest"):
        await failed(world, error)
    found = await errors(world)
    assert (found["looked_at"], found["capped"], found["found"]) == (3, True, 2)
    assert [group["error"] for group in found["errors"]] == ["new"]


@pytest.mark.parametrize(("name", "value"), [("project_id", "x"), ("job_type", "?"), ("since", "soon"), ("since", "")])
async def test_a_wrong_parameter_is_refused_by_name(world: World, name: str, value: str) -> None:
    answer = await world.send("GET", f"/v1/teams/{world.team_id}/jobs/errors", params={name: value})
    assert refusal(answer) == (400, "invalid_parameter")
    assert name in answer.json()["error"]


async def test_a_list_can_be_of_one_group(world: World) -> None:
    other = await world.add_project()
    mine, theirs = await failed(world, "code 1"), await failed(world, "code 2", project_id=str(other))
    await failed(world, "else")
    await world.ended()
    fingerprint = (await errors(world))["errors"][0]["fingerprint"]
    for params, ids in [
        ({}, {mine, theirs}),
        ({"status": "failed", "job_type": "export"}, {mine, theirs}),
        ({"project_id": other}, {theirs}),
        ({"status": "completed"}, set()),
        ({"status": "pending"}, set()),
        ({"job_type": "import"}, set()),
    ]:
        answer = await world.list(fingerprint=fingerprint, **params)
        assert {run["id"] for run in answer.json()["job_runs"]} == ids, params


@pytest.mark.parametrize("text", ["", "export", "export:123", "EXPORT:0123456789abcdef", "export:0123456789abcdefg"])
async def test_what_is_no_fingerprint_is_refused(world: World, text: str) -> None:
    assert refusal(await world.list(fingerprint=text)) == (400, "invalid_parameter")
    answer = await world.bulk(filter={"fingerprint": text})
    assert answer.status_code == 400
    assert "fingerprint" in answer.json()["error"]


async def test_a_bulk_action_can_be_about_one_group(world: World) -> None:
    for error in ("code 1", "code 2", "else"):
        await failed(world, error)
    await world.ended("cancelled")
    fingerprint = (await errors(world))["errors"][0]["fingerprint"]
    counted = await world.bulk(filter={"fingerprint": fingerprint}, dry_run=True)
    assert counted.json() == {"matched": 2}
    asked = await world.bulk(filter={"fingerprint": fingerprint})
    assert (asked.status_code, asked.json()["matched"]) == (202, 2)
    assert asked.json()["job_run"]["params"]["filter"]["fingerprint"] == fingerprint
    assert (await world.bulk(action="cancel", filter={"fingerprint": fingerprint}, dry_run=True)).json() == {"matched": 0}
