"""Triggering makes one pending run, or says why not."""

from __future__ import annotations

import asyncio
import json
from uuid import UUID

import pytest

from tawny import runs
from tawny.access import Actor
from tawny.db.ids import uuid7
from tawny.db.pool import Pool
from tawny.errors import Conflict, Forbidden, InvalidRequest, NotFound
from tawny.runs import Finish


async def test_a_trigger_makes_a_pending_run_with_its_fact(house) -> None:
    run_id = await house.trigger(params={"month": "2026-02"}, notify=True)
    row = await house.row(run_id)
    assert (row["status"], row["attempt"], row["notify"], row["started_at"]) == ("pending", 0, True, None)
    assert row["triggered_by"] == f"manual:user:{house.actor.id}"
    assert await house.facts(run_id) == ["triggered"]


async def test_params_are_stored_as_sent_with_the_checked_project(house) -> None:
    run_id = await house.trigger(params={"dry_run": "true"})
    stored = json.loads((await house.row(run_id))["params"])
    assert stored == {"dry_run": "true", "project_id": str(house.project_id)}


async def test_the_answer_is_the_public_json_with_its_fourteen_fields(house) -> None:
    made = await runs.trigger(house.conn, house.actor, house.job, team_id=house.team_id, project_id=house.project_id)
    assert tuple(json.loads(made.run_json)) == runs.FIELDS


async def test_params_project_id_that_differs_is_refused(house) -> None:
    with pytest.raises(InvalidRequest, match=r"params\.project_id"):
        await house.trigger(params={"project_id": str(uuid7())})


async def test_params_that_do_not_fit_are_refused_naming_the_parameter(house) -> None:
    with pytest.raises(InvalidRequest, match="dry_run"):
        await house.trigger(params={"dry_run": "perhaps"})


async def test_a_missing_project_is_refused(house) -> None:
    with pytest.raises(InvalidRequest, match="project_id"):
        await house.trigger(project_id=None)


async def test_a_project_of_another_team_is_not_found_even_for_a_member_of_both(house) -> None:
    other = uuid7()
    await house.conn.execute("insert into teams (id, name, slug) values ($1, 'O', $2)", other, str(other))
    both = Actor("user", house.actor.id, roles={house.team_id: "owner", other: "owner"}, user_id=house.actor.id)
    with pytest.raises(NotFound):
        await runs.trigger(house.conn, both, house.job, team_id=other, project_id=house.project_id)


async def test_a_deleted_project_is_not_found(house) -> None:
    await house.conn.execute("update projects set deleted_at = now() where id = $1", house.project_id)
    with pytest.raises(NotFound):
        await house.trigger()


async def test_a_member_may_not_trigger(house) -> None:
    member = Actor("user", uuid7(), roles={house.team_id: "member"})
    with pytest.raises(Forbidden):
        await runs.trigger(house.conn, member, house.job, team_id=house.team_id, project_id=house.project_id)


async def test_a_second_trigger_meets_the_active_run(house) -> None:
    first = await house.trigger()
    with pytest.raises(Conflict, match="already pending") as refused:
        await house.trigger()
    assert refused.value.details == {"existing_run_id": str(first)}


async def test_the_conflict_says_when_a_waiting_run_is_due(house) -> None:
    run_id = await house.trigger()
    await house.conn.execute("update job_runs set run_at = '2100-01-01' where id = $1", run_id)
    with pytest.raises(Conflict, match="due at 2100-01-01T00:00:00"):
        await house.trigger()


async def test_types_and_projects_do_not_stand_in_each_others_way(house) -> None:
    await house.trigger()
    await house.trigger(job=house.jobs["import"])
    await house.trigger(project_id=await house.new_project())


async def test_runs_that_differ_in_what_unique_by_names_do_not_stand_in_each_others_way(house) -> None:
    job = house.jobs["report"]
    made = [await house.trigger(job=job, params=params) for params in ({}, {"month": "2026-02"}, {"count": 2})]
    assert len(set(made)) == 3


async def test_the_same_values_meet_the_active_run_however_they_are_sent(house) -> None:
    job = house.jobs["report"]
    active = await house.trigger(job=job, params={"count": "1", "dry_run": True})
    for params in ({}, {"count": 1}, {"month": "2026-01", "count": "1"}):
        with pytest.raises(Conflict, match="already pending for this project with the same month and count; wait") as refused:
            await house.trigger(job=job, params=params)
        assert refused.value.details == {"existing_run_id": str(active)}


async def test_triggering_works_again_at_once_after_the_run_ended(house) -> None:
    _, claimed = await house.running()
    await runs.finish(house.conn, [Finish(claimed.id, claimed.attempt, "completed")])
    assert await house.trigger() != claimed.id


async def test_of_many_at_once_exactly_one_makes_the_run(house, pool: Pool) -> None:
    async def one() -> UUID | str:
        async with pool.acquire() as conn:
            try:
                made = await runs.trigger(conn, house.actor, house.job, team_id=house.team_id, project_id=house.project_id)
            except Conflict as conflict:
                return str(conflict.details["existing_run_id"])
            return made.id

    answers = await asyncio.gather(*(one() for _ in range(100)))
    made = [answer for answer in answers if isinstance(answer, UUID)]
    assert len(made) == 1
    assert {answer for answer in answers if isinstance(answer, str)} == {str(made[0])}


async def test_unknown_and_system_types_are_refused(house) -> None:
    with pytest.raises(InvalidRequest, match="anything, export, import, report"):
        runs.choose_job(house.jobs, "nope")
    with pytest.raises(InvalidRequest, match="operator"):
        runs.choose_job(house.jobs, "sweep")


async def test_only_the_host_triggers_a_system_job_and_one_at_a_time(house) -> None:
    with pytest.raises(Forbidden):
        await runs.trigger_system(house.conn, house.actor, house.jobs["sweep"])
    first = await runs.trigger_system(house.conn, Actor.host(), house.jobs["sweep"])
    with pytest.raises(Conflict) as refused:
        await runs.trigger_system(house.conn, Actor.host(), house.jobs["sweep"])
    assert refused.value.details == {"existing_run_id": str(first.id)}


async def test_the_servers_own_job_types_are_triggered_by_nobody(house) -> None:
    with pytest.raises(InvalidRequest, match="the server's own") as refused:
        runs.choose_job(house.jobs, "tawny.bulk")
    assert refused.value.code == "builtin_job"


async def test_of_the_servers_own_runs_one_may_be_active_in_a_team_and_slot(house) -> None:
    async def make(slot: str, team_id: UUID | None = None) -> UUID:
        team_id = team_id or house.team_id
        made = await runs.trigger_builtin(house.conn, house.actor, "tawny.bulk", team_id=team_id, params={"a": 1}, slot=slot)
        assert json.loads(made.run_json)["id"] == str(made.id)
        return made.id

    first = await make("retry")
    row = await house.row(first)
    assert (row["project_id"], row["triggered_by"], row["status"]) == (None, f"manual:{house.actor.label}", "pending")
    assert await house.facts(first) == ["triggered"]
    with pytest.raises(Conflict) as refused:
        await make("retry")
    assert refused.value.details == {"existing_run_id": str(first)}
    assert len({first, await make("cancel"), await make("retry", uuid7())}) == 3
