"""GET /v1/teams/:teamId/jobs/stats."""

from __future__ import annotations

from importlib import import_module
from typing import Any
from uuid import UUID

import pytest

from api.world import World
from tawny import runs

FILL = """
insert into job_runs
    (id, team_id, project_id, job_type, status, triggered_by, unique_key, created_at, run_at, started_at, completed_at)
select
    gen_random_uuid(), $1, $2, $3, $4, 'schedule', gen_random_uuid()::text, t.at, t.at,
    case when $4 <> 'pending' then t.at + interval '2 seconds' end,
    case when $4 <> 'pending' then t.at + interval '2 seconds' + make_interval(secs => $6) end
from generate_series(1, $5) as n, lateral (select now() - make_interval(secs => $7) as at) as t
"""


async def fill(
    world: World, status: str, count: int = 1, *, job_type: str = "export", seconds: float = 1, ago: float = 0, **where: UUID
) -> None:
    """Runs in this status, triggered so many seconds ago, that waited 2 seconds and then took so many."""
    team_id, project_id = where.get("team_id", world.team_id), where.get("project_id", world.project_id)
    await world.conn.execute(FILL, team_id, project_id, job_type, status, count, float(seconds), float(ago))


async def read(world: World, **params: Any) -> dict[str, Any]:
    answer = await world.stats(**params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def counts(summary: dict[str, Any]) -> tuple[int, ...]:
    return tuple(summary[name]["count"] for name in ("pending", "running", "completed", "failed", "cancelled"))


async def test_a_team_without_runs_has_zeros_and_no_measures(world: World) -> None:
    answer = await read(world)
    nothing = {"count": 0, "capped": False}
    unknown = {"p50": None, "p95": None}
    assert answer["runs"] == {
        **dict.fromkeys(("pending", "running", "completed", "failed", "cancelled"), nothing),
        "oldest_waiting_seconds": None,
        "recent": {"runs": 0, "failure_share": None, "run_seconds": unknown, "wait_seconds": unknown},
    }
    assert [entry["job_type"] for entry in answer["job_types"]] == ["export", "import", "revenuecat_sync"]
    assert {counts(entry["runs"]) for entry in answer["job_types"]} == {(0, 0, 0, 0, 0)}


async def test_runs_are_counted_by_status_and_by_job_type(world: World) -> None:
    await world.running()
    await world.made(job_type="import")
    await fill(world, "completed", 6)
    await fill(world, "failed", 2, job_type="import")
    await fill(world, "cancelled", 1)
    answer = await read(world)
    assert counts(answer["runs"]) == (1, 1, 6, 2, 1)
    export, import_, _ = (entry["runs"] for entry in answer["job_types"])
    assert (counts(export), counts(import_)) == ((0, 1, 6, 0, 1), (1, 0, 0, 2, 0))
    assert [s["recent"]["failure_share"] for s in (answer["runs"], export, import_)] == [0.25, 0.0, 1.0]


async def test_runs_of_others_and_of_no_team_are_not_counted(world: World) -> None:
    other_team, _ = await world.add_team()
    await fill(world, "completed", team_id=other_team)
    await fill(world, "pending", team_id=other_team)
    await world.system_run()
    assert counts((await read(world))["runs"]) == (0, 0, 0, 0, 0)


async def test_of_those_that_ended_only_a_day_counts(world: World) -> None:
    await fill(world, "failed", ago=24 * 3_600)
    await fill(world, "failed", ago=22.9 * 3_600)
    await fill(world, "pending", ago=72 * 3_600)
    answer = await read(world)
    assert counts(answer["runs"]) == (1, 0, 0, 1, 0)
    assert answer["runs"]["recent"]["runs"] == 1
    assert answer["runs"]["oldest_waiting_seconds"] == pytest.approx(72 * 3_600, abs=60)


async def test_a_run_that_is_not_due_yet_does_not_wait(world: World) -> None:
    await fill(world, "pending", ago=-60)
    answer = await read(world)
    assert (counts(answer["runs"])[0], answer["runs"]["oldest_waiting_seconds"]) == (1, None)


async def test_durations_are_of_the_runs_that_completed_or_failed(world: World) -> None:
    for seconds in range(1, 101):
        await fill(world, "completed", seconds=seconds)
    await fill(world, "cancelled", seconds=9_999)
    recent = (await read(world))["runs"]["recent"]
    assert recent["run_seconds"] == {"p50": pytest.approx(50.5), "p95": pytest.approx(95.05)}
    assert recent["wait_seconds"] == {"p50": pytest.approx(2), "p95": pytest.approx(2)}


async def test_each_hour_says_how_its_runs_ended(world: World) -> None:
    await fill(world, "completed", 3, ago=5 * 3_600)
    await fill(world, "failed", 1, ago=5 * 3_600)
    await fill(world, "cancelled", 2)
    hours = (await read(world))["hours"]
    assert len(hours) == 24
    assert [
        (i, *(h[name] for name in ("completed", "failed", "cancelled"))) for i, h in enumerate(hours) if any(list(h.values())[1:])
    ] == [
        (18, 3, 1, 0),
        (23, 0, 0, 2),
    ]
    assert {hour["at"][13:] for hour in hours} == {":00:00.000Z"}
    assert (await read(world))["since"] == hours[0]["at"]


async def test_of_an_hour_the_newest_are_counted_together(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("tawny.history.stats"), "OF_AN_HOUR", 4)
    await fill(world, "completed", 9, ago=5 * 3_600)
    await fill(world, "failed", 1, ago=5 * 3_600 - 0.001)
    await fill(world, "cancelled", 3, ago=2 * 3_600)
    hours = (await read(world))["hours"]
    assert [tuple(hours[i].values())[1:] for i in (18, 21)] == [(3, 1, 0, True), (0, 0, 3, False)]


async def test_workers_are_counted_while_they_are_alive(world: World) -> None:
    await world.conn.execute("delete from workers")
    await runs.enlist(world.conn, name="alive:1", version="0", lease=60)
    await runs.enlist(world.conn, name="dead:1", version="0", lease=-1)
    assert (await read(world))["workers"] == 1


async def test_a_count_stops_at_its_cap_and_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("tawny.history.stats"), "COUNTED", 20)
    await fill(world, "completed", 20)
    await fill(world, "failed", 21)
    await fill(world, "pending", 25)
    found = (await read(world))["runs"]
    assert (found["completed"], found["failed"]) == ({"count": 20, "capped": False}, {"count": 20, "capped": True})
    assert found["pending"] == {"count": 20, "capped": True}
    assert (await read(world))["job_types"][0]["runs"]["completed"] == {"count": 2, "capped": True}


async def test_one_project_and_one_job_type_can_be_asked_for(world: World) -> None:
    other = await world.add_project()
    await fill(world, "completed", 1)
    await fill(world, "completed", 2, job_type="import")
    await fill(world, "completed", 4, project_id=other)
    await fill(world, "completed", 8, project_id=other, job_type="import")
    for params, total, types in [
        ({}, 15, [("export", 5), ("import", 10)]),
        ({"project_id": other}, 12, [("export", 4), ("import", 8)]),
        ({"job_type": "import"}, 10, [("import", 10)]),
        ({"project_id": other, "job_type": "export"}, 4, [("export", 4)]),
        ({"job_type": "no_longer_there"}, 0, [("no_longer_there", 0)]),
    ]:
        answer = await read(world, **params)
        assert answer["runs"]["completed"]["count"] == total
        assert sum(hour["completed"] for hour in answer["hours"]) == total
        found = [(entry["job_type"], entry["runs"]["completed"]["count"]) for entry in answer["job_types"]]
        assert [entry for entry in found if entry[0] != "revenuecat_sync"] == types


@pytest.mark.parametrize(("name", "value"), [("job_type", "?"), ("job_type", ""), ("project_id", "x"), ("project_id", "")])
async def test_a_wrong_parameter_is_refused_by_name(world: World, name: str, value: str) -> None:
    answer = await world.stats(**{name: value})
    assert (answer.status_code, answer.json()["code"], answer.json()["parameter"]) == (400, "invalid_parameter", name)
