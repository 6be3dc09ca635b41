"""Schedules of a project over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from api.world import World, app, is_time, refusal
from tawny import schedules

FIELDS = {
    *("id", "project_id", "job_type", "cron", "timezone", "catch_up", "params", "enabled", "next_times", "last_tick"),
    *("created_at", "updated_at"),
}


def path(project_id: Any, schedule_id: Any = None, rest: str = "") -> str:
    return f"/v1/projects/{project_id}/schedules" + (f"/{schedule_id}" if schedule_id else "") + rest


async def create(world: World, *, as_: str | None = "", project_id: Any = None, **body: Any) -> httpx.Response:
    """POST a schedule, to the world's project unless another is given. An argument of `...` leaves the field out."""
    sent = {"job_type": "export", "cron": "0 2 * * *"} | body
    sent = {name: value for name, value in sent.items() if value is not ...}
    return await world.send("POST", path(project_id or world.project_id), as_=as_, json=sent)


async def made(world: World, **body: Any) -> dict[str, Any]:
    answer = await create(world, **body)
    assert answer.status_code == 201, answer.text
    schedule: dict[str, Any] = answer.json()
    assert set(schedule) == FIELDS
    return schedule


async def change(world: World, schedule_id: Any, **body: Any) -> httpx.Response:
    return await world.send("PATCH", path(world.project_id, schedule_id), json=body)


async def viewed(world: World, schedule_id: Any) -> dict[str, Any]:
    answer = await world.send("GET", path(world.project_id, schedule_id))
    assert answer.status_code == 200
    schedule: dict[str, Any] = answer.json()
    assert set(schedule) == FIELDS | {"ticks"}
    return schedule


async def come_due(world: World, schedule_id: str) -> None:
    """Let its time come, and a worker look."""
    sql = "update schedules set next_at = date_trunc('minute', now()), look_at = now() where id = $1"
    await world.conn.execute(sql, UUID(schedule_id))
    async with world.conn.transaction():
        assert (await schedules.tick(world.conn, app.jobs)).schedules == 1


async def test_a_new_schedule_says_when_it_is_due_next(world: World) -> None:
    schedule = await made(world, cron=" 0  */6 * * * ", timezone="Europe/Vienna", params={"month": "2026-02"})
    assert schedule["project_id"] == str(world.project_id)
    assert (schedule["job_type"], schedule["cron"], schedule["timezone"]) == ("export", "0 */6 * * *", "Europe/Vienna")
    assert (schedule["catch_up"], schedule["enabled"], schedule["last_tick"]) == ("last", True, None)
    assert schedule["params"] == {"month": "2026-02", "project_id": str(world.project_id)}
    assert len(schedule["next_times"]) == 5
    assert all(map(is_time, [*schedule["next_times"], schedule["created_at"], schedule["updated_at"]]))
    due = [datetime.fromisoformat(text) for text in schedule["next_times"]]
    assert due == sorted(due)
    assert [(at.minute, at.second) for at in due] == [(0, 0)] * 5


async def test_schedules_are_listed_oldest_first_and_viewed(world: World) -> None:
    first, second = await made(world), await made(world, job_type="import", catch_up="none")
    answer = await world.send("GET", path(world.project_id))
    assert answer.json() == {"schedules": [first, second]}
    assert await viewed(world, second["id"]) == second | {"ticks": []}
    other = await world.add_project()
    assert (await world.send("GET", path(other))).json() == {"schedules": []}


async def test_when_it_is_due_a_run_starts_and_the_schedule_says_so(world: World) -> None:
    schedule = await made(world)
    await come_due(world, schedule["id"])
    (run,) = (await world.list()).json()["job_runs"]
    assert (run["triggered_by"], run["job_type"], run["project_id"]) == ("schedule", "export", str(world.project_id))
    after = await viewed(world, schedule["id"])
    (tick,) = after["ticks"]
    assert (tick["decision"], tick["run_id"], tick["reason"], tick["times"]) == ("started", run["id"], None, 1)
    assert is_time(tick["due_at"])
    assert after["last_tick"] == tick


async def test_a_due_time_that_meets_an_active_run_is_skipped_and_names_it(world: World) -> None:
    run_id = await world.made()
    schedule = await made(world)
    await come_due(world, schedule["id"])
    tick = (await viewed(world, schedule["id"]))["last_tick"]
    assert (tick["decision"], tick["run_id"], tick["reason"]) == ("skipped_active", str(run_id), "a run is active")


async def test_a_schedule_is_paused_and_goes_on(world: World) -> None:
    schedule = await made(world)
    paused = (await change(world, schedule["id"], enabled=False)).json()
    assert (paused["enabled"], paused["next_times"]) == (False, [])
    await come_due(world, schedule["id"])
    assert (await viewed(world, schedule["id"]))["last_tick"]["decision"] == "skipped_disabled"
    assert (await world.list()).json()["job_runs"] == []
    goes_on = (await change(world, schedule["id"], enabled=True)).json()
    assert len(goes_on["next_times"]) == 5


async def test_what_is_changed_is_changed_and_nothing_else(world: World) -> None:
    schedule = await made(world, params={"month": "2026-02"}, catch_up="all")
    answer = await change(world, schedule["id"], cron="30 4 * * 1", timezone="America/New_York")
    assert answer.status_code == 200
    changed = answer.json()
    same = ("id", "project_id", "job_type", "catch_up", "params", "enabled", "created_at")
    assert {name: changed[name] for name in same} == {name: schedule[name] for name in same}
    assert (changed["cron"], changed["timezone"]) == ("30 4 * * 1", "America/New_York")
    assert changed["next_times"] != schedule["next_times"]
    row = await world.conn.fetchrow("select next_at, look_at from schedules where id = $1", UUID(schedule["id"]))
    assert row["look_at"] == row["next_at"] == datetime.fromisoformat(changed["next_times"][0]), "a worker looks by then"
    changed = (await change(world, schedule["id"], params={"count": 2})).json()
    assert changed["params"] == {"count": 2, "project_id": str(world.project_id)}
    assert await viewed(world, schedule["id"]) == changed | {"ticks": []}


async def test_a_due_time_that_nobody_decided_is_missed_when_the_expression_changes(world: World) -> None:
    schedule = await made(world, cron="0 * * * *")
    sql = "update schedules set next_at = date_trunc('hour', now()) - interval '2 hours' where id = $1"
    await world.conn.execute(sql, UUID(schedule["id"]))
    await change(world, schedule["id"], cron="30 * * * *")
    (tick,) = (await viewed(world, schedule["id"]))["ticks"]
    assert (tick["decision"], tick["times"]) == ("missed", 3)


async def test_a_schedule_of_a_time_zone_that_is_not_known_any_more_is_listed_and_can_be_mended(world: World) -> None:
    schedule = await made(world)
    await world.conn.execute("update schedules set timezone = 'Mars/Olympus', next_at = now(), look_at = now()")
    (listed,) = (await world.send("GET", path(world.project_id))).json()["schedules"]
    assert listed["next_times"] == []
    mended = await change(world, schedule["id"], timezone="UTC")
    assert len(mended.json()["next_times"]) == 5


async def test_a_deleted_schedule_is_gone_and_its_runs_go_on(world: World) -> None:
    schedule = await made(world)
    await come_due(world, schedule["id"])
    answer = await world.send("DELETE", path(world.project_id, schedule["id"]))
    assert (answer.status_code, answer.json()) == (200, {"deleted": True})
    assert (await world.send("GET", path(world.project_id))).json() == {"schedules": []}
    (run,) = (await world.list()).json()["job_runs"]
    assert run["status"] == "pending"


async def test_with_its_project_a_schedule_is_gone(world: World) -> None:
    project_id = await world.add_project()
    await made(world, project_id=project_id)
    key = await world.add_key("projects:write")
    assert (await world.send("DELETE", f"/v1/projects/{project_id}", as_=key)).status_code == 200
    assert refusal(await world.send("GET", path(project_id))) == (404, "not_found")
    assert await world.conn.fetchval("select count(*) from schedules where deleted_at is null") == 0


async def test_run_now_is_a_run_of_the_callers_with_the_schedules_params(world: World) -> None:
    schedule = await made(world, params={"month": "2026-02"})
    answer = await world.send("POST", path(world.project_id, schedule["id"], "/run"))
    assert answer.status_code == 201
    run = answer.json()["job_run"]
    assert run["params"] == {"month": "2026-02", "project_id": str(world.project_id)}
    assert run["triggered_by"].startswith("manual:api_key:")
    assert (await viewed(world, schedule["id"]))["ticks"] == []


async def test_run_now_is_refused_while_a_run_is_active(world: World) -> None:
    run_id = await world.made()
    schedule = await made(world)
    answer = await world.send("POST", path(world.project_id, schedule["id"], "/run"))
    assert refusal(answer) == (409, "already_active")
    assert answer.json()["existing_run_id"] == str(run_id)


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        ({"cron": "* * * *"}, "invalid_cron", "cron must be five fields"),
        ({"cron": "60 * * * *"}, "invalid_cron", "bad minute"),
        ({"cron": "0 0 31 2 *"}, "invalid_cron", "bad day-of-month"),
        ({"cron": "@reboot"}, "invalid_cron", "cron must be five fields"),
        ({"cron": "0 0 2 * * *"}, "invalid_cron", "cron must be five fields"),
        ({"cron": "x" * 100_000}, "invalid_cron", "cron must be five fields"),
        ({"cron": ...}, "missing_field", "cron is required"),
        ({"cron": 5}, "invalid_field", "cron should be a text"),
        ({"timezone": "Mars/X"}, "invalid_timezone", "timezone must be a name"),
        ({"timezone": "../etc"}, "invalid_timezone", "timezone must be a name"),
        ({"timezone": "/etc/localtime"}, "invalid_timezone", "timezone must be a name"),
        ({"catch_up": "some"}, "invalid_field", "catch_up should be 'all', 'last' or 'none'"),
        ({"job_type": ...}, "missing_field", "job_type is required"),
        ({"job_type": "nothing"}, "unknown_job_type", "Unknown job_type"),
        ({"job_type": "sweep"}, "system_job", "is a system job"),
        ({"job_type": "tawny.bulk"}, "builtin_job", "the server's own"),
        ({"params": {"week": 5}}, "invalid_params", "week"),
        ({"params": {"count": "many"}}, "invalid_params", "count"),
        ({"params": {"project_id": str(uuid4())}}, "project_mismatch", "differs from project_id"),
        ({"params": [1]}, "invalid_field", "params should be an object"),
        ({"enabled": "yes"}, "invalid_field", "enabled should be true or false"),
        ({"next_at": "2026-01-01"}, "unknown_field", "next_at"),
    ],
)
async def test_what_is_wrong_is_refused_when_it_is_saved(world: World, body: dict[str, Any], code: str, says: str) -> None:
    answer = await create(world, **body)
    assert refusal(answer) == (400, code), answer.text
    assert says in answer.json()["error"]
    assert len(answer.json()["error"]) < 500
    assert await world.conn.fetchval("select count(*) from schedules where team_id is not null") == 0


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "nothing_to_change"),
        ({"cron": "60 * * * *"}, "invalid_cron"),
        ({"timezone": "Mars/X"}, "invalid_timezone"),
        ({"catch_up": "some"}, "invalid_field"),
        ({"params": {"week": 5}}, "invalid_params"),
        ({"job_type": "import"}, "unknown_field"),
    ],
)
async def test_a_wrong_change_is_refused_and_changes_nothing(world: World, body: dict[str, Any], code: str) -> None:
    schedule = await made(world)
    assert refusal(await change(world, schedule["id"], **body)) == (400, code)
    assert await viewed(world, schedule["id"]) == schedule | {"ticks": []}


async def test_unknown_foreign_and_deleted_schedules_are_the_same_404(world: World) -> None:
    team_id, _ = await world.add_team()
    foreign = await world.add_project(team_id)
    gone, elsewhere = await made(world), await made(world, project_id=await world.add_project())
    await world.send("DELETE", path(world.project_id, gone["id"]))
    assert refusal(await world.send("GET", path(foreign))) == (404, "not_found")
    for schedule_id in (uuid4(), "abc", gone["id"], elsewhere["id"]):
        where = path(world.project_id, schedule_id)
        answers = [
            await world.send("GET", where),
            await world.send("PATCH", where, json={"enabled": False}),
            await world.send("DELETE", where),
            await world.send("POST", f"{where}/run"),
        ]
        assert [refusal(answer) for answer in answers] == [(404, "not_found")] * 4
        assert {answer.text for answer in answers} == {answers[0].text}


async def test_a_project_has_so_many_schedules_and_no_more(world: World) -> None:
    await made(world)
    many = """
        insert into schedules (id, team_id, project_id, job_type, cron, timezone, catch_up)
        select gen_random_uuid(), team_id, project_id, job_type, cron, timezone, catch_up
        from schedules, generate_series(1, 199) where team_id is not null
    """
    await world.conn.execute(many)
    assert refusal(await create(world)) == (400, "too_many_schedules")


async def test_a_system_job_has_no_schedule_that_a_team_sees(world: World) -> None:
    async with world.conn.transaction():
        await schedules.declare(world.conn, app.jobs)
    assert (await world.send("GET", path(world.project_id))).json() == {"schedules": []}
