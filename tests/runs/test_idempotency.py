"""Requests with the same key make one run, and get the same answer for a day."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from tawny import runs
from tawny.db.ids import uuid7
from tawny.db.pool import Connection, Pool
from tawny.errors import Conflict, IdempotencyMisuse, InvalidRequest, NotFound
from tawny.runs import Finish, Triggered
from tawny.runs.statements import queries


async def trigger(house, *, conn: Connection | None = None, key: str | None = "k", **changes: object) -> Triggered:
    wanted = {"team_id": house.team_id, "project_id": house.project_id, "params": {"month": "2026-02"}} | changes
    return await runs.trigger(conn or house.conn, house.actor, wanted.pop("job", house.job), idempotency_key=key, **wanted)


async def age(house, hours: float) -> None:
    await house.conn.execute("update idempotency_keys set created_at = created_at - $1::interval", timedelta(hours=hours))


async def keys(house) -> int:
    return int(await house.conn.fetchval("select count(*) from idempotency_keys"))


async def test_the_first_answer_is_given_again(house) -> None:
    first = await trigger(house)
    assert not first.replayed
    assert await trigger(house) == Triggered(first.id, first.run_json, replayed=True)
    assert await house.facts(first.id) == ["triggered"]


async def test_also_after_the_run_has_ended_and_after_its_project_was_deleted(house) -> None:
    first = await trigger(house)
    (claimed,) = await house.claim(await house.enlist())
    await runs.finish(house.conn, [Finish(claimed.id, 1, "completed")])
    assert (await trigger(house)).run_json == first.run_json
    await house.conn.execute("update projects set deleted_at = now()")
    assert (await trigger(house)).run_json == first.run_json


async def test_without_a_key_nothing_is_kept(house) -> None:
    await trigger(house, key=None)
    assert await keys(house) == 0
    with pytest.raises(Conflict):
        await trigger(house, key=None)


async def test_another_request_with_the_key_is_refused_and_makes_nothing(house) -> None:
    first = await trigger(house)
    others: list[dict[str, object]] = [
        {"params": {"month": "2026-03"}},
        {"params": None},
        {"notify": True},
        {"job": house.jobs["report"]},
        {"project_id": await house.new_project()},
    ]
    for changes in others:
        with pytest.raises(IdempotencyMisuse, match="another request"):
            await trigger(house, **changes)
    assert await house.conn.fetchval("select array_agg(id) from job_runs") == [first.id]


async def test_what_is_the_same_however_it_is_written_is_the_same_request(house) -> None:
    first = await trigger(house, params={"month": "2026-02", "dry_run": False})
    again = await trigger(house, params={"dry_run": False, "month": "2026-02", "project_id": str(house.project_id)})
    assert again.id == first.id


async def test_a_refusal_is_not_kept(house) -> None:
    active = await house.trigger()
    for error, changes in [
        (Conflict, {}),
        (NotFound, {"project_id": uuid7()}),
        (InvalidRequest, {"params": {"month": []}}),
    ]:
        with pytest.raises(error):
            await trigger(house, **changes)
    assert await keys(house) == 0
    await house.conn.execute("delete from job_runs where id = $1", active)
    assert not (await trigger(house)).replayed


async def test_each_team_has_keys_of_its_own(house) -> None:
    first = await trigger(house)
    other_team = uuid7()
    await house.conn.execute("insert into teams (id, name, slug) values ($1, 'O', 'o')", other_team)
    project_id = await house.new_project()
    await house.conn.execute("update projects set team_id = $1 where id = $2", other_team, project_id)
    house.actor.roles[other_team] = "owner"
    second = await trigger(house, team_id=other_team, project_id=project_id)
    assert not second.replayed
    assert second.id != first.id


async def test_a_key_is_good_for_a_day_and_then_free(house) -> None:
    first = await trigger(house)
    await age(house, 23.9)
    assert (await trigger(house)).id == first.id
    await age(house, 0.2)
    await house.conn.execute("delete from job_runs")
    second = await trigger(house, params={"month": "2026-03"})
    assert not second.replayed
    assert (await trigger(house, params={"month": "2026-03"})).id == second.id


async def test_of_many_at_once_one_makes_the_run_and_all_get_its_answer(house, pool: Pool) -> None:
    async def one() -> Triggered:
        async with pool.acquire() as conn:
            return await trigger(house, conn=conn)

    answers = await asyncio.gather(*(one() for _ in range(50)))
    assert len({answer.run_json for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1


async def test_of_many_projects_at_once_with_one_key_one_makes_its_run(house, pool: Pool) -> None:
    async def one(project_id: UUID) -> Triggered | None:
        async with pool.acquire() as conn:
            try:
                return await trigger(house, conn=conn, project_id=project_id)
            except IdempotencyMisuse:
                return None

    answers = await asyncio.gather(*[one(await house.new_project()) for _ in range(20)])
    (made,) = filter(None, answers)
    assert await house.conn.fetchval("select array_agg(id) from job_runs") == [made.id]


async def test_a_request_whose_run_has_come_and_gone_while_it_was_on_its_way_gets_that_answer(
    house, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await trigger(house)
    await house.conn.execute("delete from job_runs")
    look_up, looks = queries.first_answer, []

    async def too_early_once(conn: Connection, **values: object) -> object:
        looks.append(values)
        return await look_up(conn, **values) if len(looks) > 1 else None

    monkeypatch.setitem(queries.all, "first_answer", too_early_once)
    assert await trigger(house) == Triggered(first.id, first.run_json, replayed=True)
    assert await house.conn.fetchval("select count(*) from job_runs") == 0


async def test_only_old_answers_are_forgotten_and_all_of_them(house) -> None:
    await trigger(house)
    await house.conn.execute(
        "insert into idempotency_keys (team_id, key, request_hash, run_id, answer, created_at) "
        "select $1, 'old' || n, '', $1, '', now() - interval '25 hours' from generate_series(1, 2100) as n",
        house.team_id,
    )
    assert await runs.forget_answers(house.conn) == 2100
    assert await house.conn.fetchval("select array_agg(key) from idempotency_keys") == ["k"]


async def test_forgetting_steps_over_what_somebody_else_forgets(house, pool: Pool) -> None:
    await trigger(house)
    await age(house, 25)
    async with pool.transaction() as tx:
        assert await runs.forget_answers(tx) == 1
        assert await runs.forget_answers(house.conn) == 0
