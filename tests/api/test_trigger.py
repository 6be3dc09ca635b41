"""POST /v1/teams/:teamId/jobs/trigger."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import pytest

from api.world import World
from tawny.db.pool import Connection


async def test_a_trigger_answers_201_with_a_pending_run(world: World) -> None:
    answer = await world.trigger(params={"month": "2026-02"}, notify=True)
    assert answer.status_code == 201
    run = answer.json()["job_run"]
    key_id = await world.conn.fetchval("select id from api_keys")
    assert UUID(run.pop("id")).version == 7
    assert run.pop("created_at").endswith("Z")
    assert run == {
        "job_type": "export",
        "status": "pending",
        "team_id": str(world.team_id),
        "project_id": str(world.project_id),
        "triggered_by": f"manual:api_key:{key_id}",
        "params": {"month": "2026-02", "project_id": str(world.project_id)},
        "progress": None,
        "result": None,
        "error": None,
        "notify": True,
        "started_at": None,
        "completed_at": None,
    }


async def test_a_user_is_named_as_the_one_who_triggered(world: World) -> None:
    answer = await world.trigger(as_=await world.token(world.owner_id))
    assert answer.json()["job_run"]["triggered_by"] == f"manual:user:{world.owner_id}"


async def test_no_more_than_the_type_and_the_project_is_needed(world: World) -> None:
    run = (await world.trigger()).json()["job_run"]
    assert run["params"] == {"project_id": str(world.project_id)}
    assert run["notify"] is False


async def test_null_means_absent(world: World) -> None:
    assert (await world.trigger(params=None, notify=None)).status_code == 201
    assert (await world.trigger(project_id=None)).json()["code"] == "project_required"


async def test_params_are_coerced_for_the_handler_and_stored_as_they_were_sent(world: World) -> None:
    run = (await world.trigger(params={"count": "5", "dry_run": "true"})).json()["job_run"]
    assert run["params"] == {"count": "5", "dry_run": "true", "project_id": str(world.project_id)}


@pytest.mark.parametrize(
    ("body", "code", "named"),
    [
        ({"job_type": "unknown"}, "unknown_job_type", "export"),
        ({"job_type": ...}, "missing_field", "job_type"),
        ({"job_type": None}, "invalid_field", "job_type"),
        ({"job_type": 5}, "invalid_field", "job_type"),
        ({"job_type": "sweep"}, "system_job", "sweep"),
        ({"project_id": ...}, "project_required", "project_id"),
        ({"project_id": 5}, "invalid_field", "project_id"),
        ({"project_id": "abc"}, "invalid_field", "project_id"),
        ({"project_id": "{12345678-1234-1234-1234-123456789012}"}, "invalid_field", "project_id"),
        ({"params": []}, "invalid_field", "params"),
        ({"params": "month=1"}, "invalid_field", "params"),
        ({"params": 1}, "invalid_field", "params"),
        ({"notify": "yes"}, "invalid_field", "notify"),
        ({"notify": 1}, "invalid_field", "notify"),
        ({"staus": 1}, "unknown_field", "staus"),
        ({"status": "completed"}, "unknown_field", "status"),
        ({"attempt": 7}, "unknown_field", "attempt"),
        ({"created_by": "me"}, "unknown_field", "created_by"),
        ({"team_id": None}, "unknown_field", "team_id"),
        ({"params": {"count": "many"}}, "invalid_params", "count"),
        ({"params": {"cuont": 1}}, "invalid_params", "cuont"),
    ],
)
async def test_a_wrong_body_is_refused_by_name(world: World, body: dict[str, Any], code: str, named: str) -> None:
    team_id = body.pop("team_id", ...)
    sent = {"job_type": "export", "project_id": str(world.project_id)} | body | ({} if team_id is ... else {"team_id": 1})
    sent = {name: value for name, value in sent.items() if value is not ...}
    answer = await world.send("POST", f"/v1/teams/{world.team_id}/jobs/trigger", json=sent)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert named in answer.json()["error"]
    assert await world.conn.fetchval("select count(*) from job_runs") == 0


@pytest.mark.parametrize(
    "job_type",
    [
        "../../etc/passwd",
        "%2e%2e",
        "a/b",
        "x" * 300,
        "",
        "еxport",
        "export\u200b",
        "EXPORT",
        " export",
        "export;drop table job_runs",
    ],
)
async def test_a_hostile_job_type_is_an_unknown_one(world: World, job_type: str) -> None:
    answer = await world.trigger(job_type=job_type)
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_job_type")


async def test_the_refusal_of_params_says_why_for_each(world: World) -> None:
    answer = (await world.trigger(params={"count": "many", "dry_run": "perhaps"})).json()
    assert set(answer["params"]) == {"count", "dry_run"}
    assert "many" not in str(answer)


async def test_a_differing_project_in_the_params_is_refused(world: World) -> None:
    other = await world.add_project()
    answer = await world.trigger(params={"project_id": str(other)})
    assert (answer.status_code, answer.json()["code"]) == (400, "project_mismatch")


@pytest.mark.parametrize("spell", [str, lambda id_: str(id_).upper(), lambda _: None])
async def test_the_same_project_in_the_params_is_fine(world: World, spell: Any) -> None:
    run = (await world.trigger(params={"project_id": spell(world.project_id)})).json()["job_run"]
    assert run["params"]["project_id"] == str(world.project_id)


async def test_the_handler_gets_the_checked_project(world: World) -> None:
    _, claimed = await world.running()
    assert claimed.project_id == world.project_id


async def test_an_unknown_a_deleted_and_a_foreign_project_are_the_same_404(world: World) -> None:
    deleted = await world.add_project()
    await world.conn.execute("update projects set deleted_at = now() where id = $1", deleted)
    other_team, _ = await world.add_team()
    foreign = await world.add_project(other_team)
    answers = [await world.trigger(project_id=str(id_)) for id_ in (uuid4(), deleted, foreign)]
    assert [answer.status_code for answer in answers] == [404] * 3
    assert len({answer.content for answer in answers}) == 1


async def test_a_member_of_two_teams_cannot_trigger_in_one_with_the_others_project(world: World) -> None:
    other_team, _ = await world.add_team()
    foreign = await world.add_project(other_team)
    await world.conn.execute(
        "insert into memberships (team_id, user_id, role) values ($1, $2, 'owner')", other_team, world.owner_id
    )
    answer = await world.trigger(as_=await world.token(world.owner_id), project_id=str(foreign))
    assert answer.status_code == 404


async def test_an_active_run_is_a_409_that_names_it_pending_or_running(world: World) -> None:
    run_id = await world.made()
    pending = await world.trigger()
    assert (pending.status_code, pending.json()["existing_run_id"]) == (409, str(run_id))
    assert "pending" in pending.json()["error"]
    await world.conn.execute("delete from job_runs")
    _, claimed = await world.running()
    running = await world.trigger()
    assert (running.status_code, running.json()["existing_run_id"]) == (409, str(claimed.id))
    assert "running" in running.json()["error"]


async def test_the_409_says_when_a_waiting_run_is_due(world: World) -> None:
    run_id = await world.made()
    await world.conn.execute("update job_runs set run_at = '2099-01-02 03:04:05Z', attempt = 1 where id = $1", run_id)
    assert "2099-01-02T03:04:05.000Z" in (await world.trigger()).json()["error"]


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
async def test_after_a_run_ended_triggering_works_again_at_once(world: World, status: str) -> None:
    _, claimed = await world.running()
    await world.finish(claimed, status, error="broke" if status == "failed" else None)
    assert (await world.trigger()).status_code == 201


async def test_another_type_and_another_project_have_runs_of_their_own(world: World) -> None:
    await world.made()
    assert (await world.trigger(job_type="import")).status_code == 201
    assert (await world.trigger(project_id=str(await world.add_project()))).status_code == 201


@pytest.mark.slow
async def test_of_200_parallel_triggers_one_is_granted_and_the_others_name_it(world: World) -> None:
    answers = await asyncio.gather(*(world.trigger() for _ in range(200)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 199}
    made = next(answer.json()["job_run"]["id"] for answer in answers if answer.status_code == 201)
    assert {answer.json()["existing_run_id"] for answer in answers if answer.status_code == 409} == {made}


async def test_strange_keys_are_plain_data(world: World) -> None:
    params = {"__proto__": {"admin": True}, "constructor": "x", "$where": "1", "": 1, "‮": "b"}
    run = (await world.trigger(job_type="import", params=params)).json()["job_run"]
    assert run["params"] == params | {"project_id": str(world.project_id)}


async def test_numbers_are_stored_exactly(world: World) -> None:
    params = {"a": 2**53 + 1, "b": 2**63, "c": -(2**63) - 1, "d": 10**900, "e": 0.1, "f": -1e-300}
    run = (await world.trigger(job_type="import", params=params)).json()["job_run"]
    assert run["params"] == params | {"project_id": str(world.project_id)}


async def test_a_waiting_worker_is_woken(world: World, direct_conn: Connection) -> None:
    heard: asyncio.Queue[object] = asyncio.Queue()
    await direct_conn.add_listener("tawny", lambda *told: heard.put_nowait(told[-1]))
    await world.made()
    assert await asyncio.wait_for(heard.get(), 10) == "run"
