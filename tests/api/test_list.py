"""GET /v1/teams/:teamId/jobs."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest

from api.world import World

BURST = """
insert into job_runs (id, team_id, project_id, job_type, triggered_by, created_at)
select gen_random_uuid(), $1, $2, 'import_' || n, 'schedule', '2026-05-01 12:00:00Z'::timestamptz + (n / 100) * interval '1 ms'
from generate_series(1, $3) as n
"""
"""Runs made in a few milliseconds, a hundred in each; ids at random, so that their order is not the order of insertion."""


async def ids(world: World, **params: Any) -> list[UUID]:
    answer = await world.list(**params)
    assert answer.status_code == 200, answer.text
    return [UUID(run["id"]) for run in answer.json()["job_runs"]]


async def walk(world: World, limit: int, **params: Any) -> list[str]:
    """Every run, page by page, as a client does it."""
    found: list[str] = []
    cursor = None
    while True:
        page = (await world.list(limit=limit, **params, **({"cursor": cursor} if cursor else {}))).json()
        found += [run["id"] for run in page["job_runs"]]
        assert page["has_more"] == (page["cursor"] is not None)
        if not page["has_more"]:
            return found
        assert len(page["job_runs"]) == limit
        cursor = page["cursor"]


async def test_a_team_without_runs_has_an_empty_page(world: World) -> None:
    answer = await world.list()
    assert (answer.status_code, answer.json()) == (200, {"job_runs": [], "cursor": None, "has_more": False})


async def test_runs_come_newest_first_as_they_are_viewed(world: World) -> None:
    older, newer = await world.made(), await world.made(job_type="import")
    runs = (await world.list()).json()["job_runs"]
    assert [run["id"] for run in runs] == [str(newer), str(older)]
    assert runs[0] == (await world.view(newer)).json()["job_run"]


async def test_the_cursor_is_time_and_id_of_the_last_row_and_null_on_the_last_page(world: World) -> None:
    older, newer = await world.made(), await world.made(job_type="import")
    first = (await world.list(limit=1)).json()
    assert first["has_more"] is True
    assert first["cursor"] == f"{first['job_runs'][0]['created_at']}|{newer}"
    last = (await world.list(limit=1, cursor=first["cursor"])).json()
    assert [run["id"] for run in last["job_runs"]] == [str(older)]
    assert (last["cursor"], last["has_more"]) == (None, False)


async def test_a_page_that_is_exactly_full_is_the_last_one(world: World) -> None:
    await world.made()
    assert (await world.list(limit=1)).json()["cursor"] is None


async def test_fifty_runs_are_a_page_unless_another_limit_is_asked_for(world: World) -> None:
    await world.conn.execute(BURST, world.team_id, world.project_id, 210)
    assert len(await ids(world)) == 50
    assert len(await ids(world, limit=200)) == 200
    assert len(await ids(world, limit=1)) == 1


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1, 7, 50])
async def test_a_walk_over_a_burst_returns_every_run_once(world: World, limit: int) -> None:
    await world.conn.execute(BURST, world.team_id, world.project_id, 500)
    expected = await world.conn.fetch("select id from job_runs order by created_at desc, id desc")
    assert await walk(world, limit) == [str(row["id"]) for row in expected]


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1, 7, 50])
async def test_a_walk_loses_and_doubles_nothing_while_new_runs_arrive(world: World, limit: int) -> None:
    await world.conn.execute(BURST, world.team_id, world.project_id, 500)
    before = {str(row["id"]) for row in await world.conn.fetch("select id from job_runs")}
    walking = asyncio.ensure_future(walk(world, limit))
    arrived = 0
    while not walking.done():
        project_id = await world.add_project()
        assert (await world.trigger(project_id=str(project_id))).status_code == 201
        arrived += 1
    found = walking.result()
    assert len(found) == len(set(found))
    assert before <= set(found)
    assert arrived > 0


@pytest.mark.parametrize(
    "filters", [{"job_type": "import_7"}, {"project_id": "own"}, {"status": "pending"}, {"since": "2026-01-01"}]
)
async def test_a_walk_can_be_filtered(world: World, filters: dict[str, str]) -> None:
    await world.conn.execute(BURST, world.team_id, world.project_id, 30)
    chosen = {name: str(world.project_id) if value == "own" else value for name, value in filters.items()}
    assert len(await walk(world, 7, **chosen)) == (1 if "job_type" in filters else 30)


async def test_filters_can_be_combined(world: World) -> None:
    other_project = await world.add_project()
    a = await world.made()
    b = await world.made(job_type="import")
    c = await world.made(project_id=str(other_project))
    _, claimed = await world.running(job_type="import", project_id=str(other_project))
    await world.finish(claimed)
    d = claimed.id
    assert await ids(world) == [d, c, b, a]
    assert await ids(world, job_type="import") == [d, b]
    assert await ids(world, project_id=str(world.project_id)) == [b, a]
    assert await ids(world, status="completed") == [d]
    assert await ids(world, status="running") == [c, b, a]
    assert await ids(world, status="pending") == []
    assert await ids(world, status="running", job_type="export") == [c, a]
    assert await ids(world, status="running", job_type="export", project_id=str(other_project)) == [c]
    assert await ids(world, status="completed", project_id=str(world.project_id)) == []
    assert await ids(world, since="1h", until="0s", job_type="export") == [c, a]
    assert await ids(world, since="2099-01-01") == []


@pytest.mark.parametrize("status", ["pending", "running", "completed", "failed", "cancelled"])
async def test_each_status_can_be_asked_for(world: World, status: str) -> None:
    if status == "pending":
        run_id = await world.made()
    else:
        _, claimed = await world.running()
        run_id = claimed.id
        if status != "running":
            await world.finish(claimed, status)
    assert await ids(world, status=status) == [run_id]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-05-01T12:00:00.005Z", True),
        ("2026-05-01T12:00:00.005", True),
        ("2026-05-01T14:00:00.005+02:00", True),
        ("2026-05-01T07:00:00.005-0500", True),
        ("2026-05-01t12:00:00.005z", True),
        ("2026-05-01T12:00:00.006Z", False),
        ("2026-05-01T12:00:00.005001Z", False),
        ("2026-05-01", True),
        ("2026-05-02", False),
        ("2026-05-01T12:00", True),
        ("0001-01-01", True),
    ],
)
async def test_since_is_inclusive_in_every_form(world: World, text: str, found: bool) -> None:
    run_id = await world.made()
    await world.conn.execute("update job_runs set created_at = '2026-05-01 12:00:00.005Z'")
    assert await ids(world, since=text) == ([run_id] if found else [])


@pytest.mark.parametrize(
    ("text", "found"), [("2026-05-01T12:00:00.005Z", True), ("2026-05-01T12:00:00.004Z", False), ("2026-05-02", True)]
)
async def test_until_is_inclusive(world: World, text: str, found: bool) -> None:
    run_id = await world.made()
    await world.conn.execute("update job_runs set created_at = '2026-05-01 12:00:00.005Z'")
    assert await ids(world, until=text) == ([run_id] if found else [])


@pytest.mark.parametrize(
    ("age", "text", "found"),
    [
        ("29 s", "30s", True),
        ("31 s", "30s", False),
        ("29 min", "30m", True),
        ("31 min", "30m", False),
        ("59 min", "1h", True),
        ("61 min", "1h", False),
        ("6 days 23 h", "7d", True),
        ("7 days 1 h", "7d", False),
        ("13 days", "2w", True),
        ("15 days", "2w", False),
    ],
)
async def test_relative_times_are_before_now(world: World, age: str, text: str, found: bool) -> None:
    await world.made()
    await world.conn.execute(f"update job_runs set created_at = date_trunc('milliseconds', now()) - interval '{age}'")
    assert bool(await ids(world, since=text)) is found
    assert bool(await ids(world, until=text)) is not found


async def test_until_and_a_cursor_bound_the_page_together(world: World) -> None:
    older, middle, newer = (
        await world.made(),
        await world.made(job_type="import"),
        await world.made(project_id=str(await world.add_project())),
    )
    for day, run_id in enumerate((older, middle, newer), 1):
        await world.conn.execute(
            "update job_runs set created_at = make_timestamptz(2026, 5, $2, 0, 0, 0, 'UTC') where id = $1", run_id, day
        )
    after_newer = (await world.list(limit=1)).json()["cursor"]
    assert await ids(world, cursor=after_newer, until="2026-05-01") == [older]
    assert await ids(world, cursor=after_newer, until="2026-06-01") == [middle, older]


async def test_system_runs_and_runs_of_other_teams_never_appear(world: World) -> None:
    mine = await world.made()
    await world.system_run()
    other_team, _ = await world.add_team()
    await world.trigger(
        as_=await world.add_key(team_id=other_team), team_id=other_team, project_id=str(await world.add_project(other_team))
    )
    assert await ids(world) == [mine]
    assert await ids(world, job_type="sweep") == []


async def test_a_foreign_and_an_unknown_project_have_no_runs(world: World) -> None:
    other_team, _ = await world.add_team()
    foreign = await world.add_project(other_team)
    await world.trigger(as_=await world.add_key(team_id=other_team), team_id=other_team, project_id=str(foreign))
    assert await ids(world, project_id=str(foreign)) == await ids(world, project_id=str(uuid4())) == []


@pytest.mark.parametrize("limit", ["0", "-1", "201", "1e9", "abc", "1.5", "", " 5", "0x10", "٥", "9" * 5000, "1 or 1=1"])
async def test_a_limit_out_of_bounds_is_refused_naming_them(world: World, limit: str) -> None:
    answer = await world.list(limit=limit)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")
    assert "limit" in answer.json()["error"]
    assert not limit or ("1" in answer.json()["error"] and "200" in answer.json()["error"])


@pytest.mark.parametrize("status", ["done", "RUNNING", "", "running;drop table job_runs", "pending,running"])
async def test_an_unknown_status_is_refused_naming_those_there_are(world: World, status: str) -> None:
    answer = await world.list(status=status)
    assert answer.status_code == 400
    assert not status or "pending, running, completed, failed, cancelled" in answer.json()["error"]


@pytest.mark.parametrize("name", ["since", "until"])
@pytest.mark.parametrize(
    "text",
    [
        "infinity",
        "-infinity",
        "99999-01-01",
        "0000",
        "0000-01-01",
        "-1",
        "2024-02-30",
        "2023-02-29",
        "yesterday",
        "1y",
        "1.5h",
        "-1h",
        "999999999w",
        "2024-01-01T25:00:00Z",
        "2024-01-01T12:00:60Z",
        "0001-01-01T00:00:00+14:00",
        "1714564800",
        "2024-W01-1",
        "T" * 5000,
        "2024-01-01T00:00:00\0",
        "",
    ],
)
async def test_what_is_no_time_is_refused(world: World, name: str, text: str) -> None:
    answer = await world.list(**{name: text})
    assert (answer.status_code, answer.json()["code"], answer.json()["parameter"]) == (400, "invalid_parameter", name)


async def test_a_plus_that_was_not_encoded_is_refused_with_a_hint(world: World) -> None:
    answer = await world.send("GET", f"/v1/teams/{world.team_id}/jobs?since=2026-05-01T12:00:00+02:00")
    assert answer.status_code == 400
    assert "%2B" in answer.json()["error"]


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "|",
        "2026-05-01T12:00:00.000Z",
        "2026-05-01T12:00:00.000Z|",
        "2026-05-01T12:00:00.000Z|abc",
        "2026-05-01T12:00:00Z|01234567-89ab-7def-8123-456789abcdef",
        "2026-05-01 12:00:00.000Z|01234567-89ab-7def-8123-456789abcdef",
        "2026-02-30T12:00:00.000Z|01234567-89ab-7def-8123-456789abcdef",
        "0000-01-01T12:00:00.000Z|01234567-89ab-7def-8123-456789abcdef",
        "2026-05-01T12:00:00.000Z|01234567-89ab-7def-8123-456789abcde",
        "2026-05-01T12:00:00.000Z|01234567-89ab-7def-8123-456789abcdef|",
        "2026-05-01T12:00:00.000Z|" + "-" * 36,
        "2026-05-01T12:00:00.000Z|01234567-89ab-7def-8123-456789abcdef\0",
        "",
        "x" * 5000,
    ],
)
async def test_a_malformed_cursor_is_refused(world: World, cursor: str) -> None:
    answer = await world.list(cursor=cursor)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


@pytest.mark.parametrize(("raw", "encoded"), [("|", "%7C"), ("|", "%7c")])
async def test_a_cursor_may_come_percent_encoded(world: World, raw: str, encoded: str) -> None:
    await world.made()
    await world.made(job_type="import")
    cursor = (await world.list(limit=1)).json()["cursor"]
    answer = await world.send("GET", f"/v1/teams/{world.team_id}/jobs?cursor={quote(cursor, safe=raw).replace(raw, encoded)}")
    assert len(answer.json()["job_runs"]) == 1


async def test_a_cursor_of_runs_that_are_gone_still_marks_its_place(world: World) -> None:
    await world.conn.execute(BURST, world.team_id, world.project_id, 9)
    first = (await world.list(limit=3)).json()
    await world.conn.execute("delete from job_runs where id = any($1::uuid[])", [run["id"] for run in first["job_runs"]])
    rest = (await world.list(limit=200, cursor=first["cursor"])).json()["job_runs"]
    assert len(rest) == 6


async def test_a_cursor_never_widens_what_a_caller_may_see(world: World) -> None:
    run_id = await world.made()
    created_at = (await world.view(run_id)).json()["job_run"]["created_at"]
    other_team, _ = await world.add_team()
    answer = await world.list(
        as_=await world.add_key(team_id=other_team), team_id=other_team, cursor=f"2099{created_at[4:]}|{run_id}"
    )
    assert answer.json()["job_runs"] == []


@pytest.mark.parametrize("value", ["abc", "", "{01234567-89ab-7def-8123-456789abcdef}", "0123456789ab7def8123456789abcdef"])
async def test_a_project_that_is_no_uuid_is_refused(world: World, value: str) -> None:
    assert (await world.list(project_id=value)).status_code == 400


@pytest.mark.parametrize("value", ["id;drop", "id desc--", "Export", "a b", "", "x" * 65, "ex\0port", "exроrt"])
async def test_a_job_type_that_is_no_name_is_refused(world: World, value: str) -> None:
    assert (await world.list(job_type=value)).status_code == 400


@pytest.mark.parametrize("name", ["limit", "status", "job_type", "project_id", "since", "until", "cursor"])
async def test_a_repeated_parameter_is_refused_by_name(world: World, name: str) -> None:
    answer = await world.send("GET", f"/v1/teams/{world.team_id}/jobs?{name}=x&{name}=x")
    assert (answer.status_code, answer.json()["code"], answer.json()["parameter"]) == (400, "repeated_parameter", name)


async def test_parameters_that_nobody_knows_are_ignored(world: World) -> None:
    run_id = await world.made()
    answer = await world.send("GET", f"/v1/teams/{world.team_id}/jobs?colour=red&colour=&order=id%3Bdrop")
    assert [run["id"] for run in answer.json()["job_runs"]] == [str(run_id)]


@pytest.mark.parametrize("query", ["status=%ff", "job_type=%80", "&".join(f"x{n}=1" for n in range(500))])
async def test_a_query_that_cannot_be_read_is_refused(world: World, query: str) -> None:
    answer = await world.send("GET", f"/v1/teams/{world.team_id}/jobs?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_query")
