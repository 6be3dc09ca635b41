"""A retry is a new run like the ended one, and says whose retry it is."""

from __future__ import annotations

import asyncio
import json
from uuid import UUID

import pytest

from tawny import Run, Tawny, runs
from tawny.access import Actor
from tawny.db.ids import uuid7
from tawny.db.pool import Connection, Pool
from tawny.errors import Conflict, Forbidden, IdempotencyMisuse, InvalidRequest, NotFound
from tawny.jobs import Job
from tawny.runs import Finish

LIKE_THE_OLD = ("team_id", "project_id", "job_type", "params", "notify", "unique_key", "timeout_seconds")


async def ended(house, status: str = "failed", **wanted: object) -> UUID:
    run_id = await house.trigger(**wanted)
    worker_id = await house.enlist()
    types = [str((await house.row(run_id))["job_type"])]
    (claimed,) = await runs.claim(house.conn, worker_id, job_types=types, slots=1)
    await runs.finish(house.conn, [Finish(claimed.id, claimed.attempt, status)])
    return run_id


async def retry(house, run_id: UUID, *, conn: Connection | None = None, jobs: dict[str, Job] | None = None, **more) -> UUID:
    return (await runs.retry(conn or house.conn, more.pop("actor", house.actor), run_id, jobs or house.jobs, **more)).id


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
async def test_a_retry_is_a_pending_run_like_the_one_that_ended(house, status: str) -> None:
    params = {"month": "2026-02", "dry_run": "true"}
    old = await ended(house, status, job=house.jobs["report"], params=params, notify=True)
    new = await retry(house, old)
    before, after = await house.row(old), await house.row(new)
    assert {name: after[name] for name in LIKE_THE_OLD} == {name: before[name] for name in LIKE_THE_OLD}
    assert (after["status"], after["attempt"], after["result"]) == ("pending", 0, None)


async def test_it_says_whose_retry_it_is_and_the_old_run_stays_as_it_was(house) -> None:
    old = await ended(house)
    before = await house.row(old)
    new = await retry(house, old)
    assert (await house.row(new))["retry_of"] == old
    data = await house.conn.fetchval("select data from run_events where run_id = $1 and kind = 'triggered'", new)
    assert json.loads(data) == {"retry_of": str(old)}
    assert await house.row(old) == before
    assert await house.facts(old) == ["triggered", "started", "failed"]


async def test_who_retried_is_the_one_who_triggered_it(house) -> None:
    old = await ended(house)
    key = Actor("api_key", uuid7(), roles={house.team_id: "admin"}, permissions=frozenset({"jobs:write"}))
    assert (await house.row(await retry(house, old, actor=key)))["triggered_by"] == f"manual:api_key:{key.id}"


async def test_numbers_are_the_same_in_a_retry(house) -> None:
    params = {"a": 2**63, "b": 10**900, "c": 0.1, "d": -1e-300, "e": 1e300}
    old = await ended(house, job=house.jobs["anything"], params=params)
    assert (await house.row(await retry(house, old)))["params"] == (await house.row(old))["params"]


async def test_a_run_that_has_not_ended_is_refused_naming_its_status(house) -> None:
    pending = await house.trigger()
    with pytest.raises(InvalidRequest, match="this one is pending") as refused:
        await retry(house, pending)
    assert refused.value.code == "not_ended"
    await house.claim(await house.enlist())
    with pytest.raises(InvalidRequest, match="this one is running"):
        await retry(house, pending)


async def test_unknown_foreign_and_system_runs_are_not_found(house) -> None:
    old = await ended(house)
    stranger = Actor("user", uuid7(), roles={uuid7(): "owner"})
    system = await runs.trigger_system(house.conn, Actor.host(), house.jobs["sweep"])
    for actor, run_id in [(house.actor, uuid7()), (stranger, old), (house.actor, system.id)]:
        with pytest.raises(NotFound, match=r"^Run not found\.$"):
            await retry(house, run_id, actor=actor)


async def test_a_member_and_a_key_that_only_reads_are_told_what_they_lack(house) -> None:
    old = await ended(house)
    with pytest.raises(Forbidden, match="role admin or owner"):
        await retry(house, old, actor=Actor("user", uuid7(), roles={house.team_id: "member"}))
    reader = Actor("api_key", uuid7(), roles={house.team_id: "owner"}, permissions=frozenset({"jobs:read"}))
    with pytest.raises(Forbidden, match="jobs:write"):
        await retry(house, old, actor=reader)


async def test_the_project_has_to_be_there_still(house) -> None:
    old = await ended(house)
    await house.conn.execute("update projects set deleted_at = now()")
    with pytest.raises(NotFound, match="Project"):
        await retry(house, old)


async def test_the_job_type_has_to_be_there_and_take_the_params_still(house) -> None:
    old = await ended(house, params={"month": "2026-02"})
    changed = Tawny()
    with pytest.raises(InvalidRequest, match="Unknown job_type"):
        await retry(house, old, jobs={"import": house.jobs["import"]})

    @changed.job("export")
    def export(run: Run, year: int) -> None: ...

    with pytest.raises(InvalidRequest, match="`month` is unknown"):
        await retry(house, old, jobs=dict(changed.jobs))


async def test_while_such_a_run_is_active_it_is_named(house) -> None:
    old = await ended(house)
    active = await house.trigger()
    with pytest.raises(Conflict) as refused:
        await retry(house, old)
    assert refused.value.details == {"existing_run_id": str(active)}


async def test_of_many_retries_at_once_exactly_one_makes_a_run(house, pool: Pool) -> None:
    old = await ended(house)

    async def one() -> UUID | None:
        async with pool.acquire() as conn:
            try:
                return await retry(house, old, conn=conn)
            except Conflict:
                return None

    answers = await asyncio.gather(*(one() for _ in range(50)))
    assert len(list(filter(None, answers))) == 1


async def test_requests_with_the_same_key_make_one_retry(house) -> None:
    old, other = await ended(house), await ended(house)
    first = await retry(house, old, idempotency_key="k")
    assert await retry(house, old, idempotency_key="k") == first
    with pytest.raises(IdempotencyMisuse):
        await retry(house, other, idempotency_key="k")
    with pytest.raises(IdempotencyMisuse):
        await house.trigger(idempotency_key="k")


async def retry_many(house, run_ids: list[UUID], jobs: dict[str, Job] | None = None) -> dict[str, int]:
    return dict(
        await runs.retry_many(house.conn, house.team_id, run_ids, jobs or house.jobs, triggered_by=f"manual:{house.actor.label}")
    )


async def test_of_many_each_is_retried_like_a_single_one(house) -> None:
    report = house.jobs["report"]
    old = [await ended(house, job=report, params={"month": f"2026-0{n}"}, notify=n == 1) for n in (1, 2)]
    assert await retry_many(house, old) == {"made": 2}
    for run_id in old:
        new = await house.conn.fetchval("select id from job_runs where retry_of = $1", run_id)
        before, after = await house.row(run_id), await house.row(new)
        assert {name: after[name] for name in LIKE_THE_OLD} == {name: before[name] for name in LIKE_THE_OLD}
        assert (after["status"], after["triggered_by"]) == ("pending", f"manual:{house.actor.label}")
        data = await house.conn.fetchval("select data from run_events where run_id = $1 and kind = 'triggered'", new)
        assert json.loads(data) == {"retry_of": str(run_id)}


async def test_of_many_for_one_slot_the_newest_is_retried(house) -> None:
    old = [await ended(house) for _ in range(3)]
    assert await retry_many(house, old) == {"made": 1, "already_active": 2}
    assert await house.conn.fetch("select retry_of from job_runs where retry_of is not null") == [(old[-1],)]


async def test_of_many_it_is_counted_why_one_is_not_retried(house) -> None:
    active, gone = await house.new_project(), await house.new_project()
    old = [
        await ended(house),
        await ended(house, project_id=active),
        await ended(house, project_id=gone),
        await ended(house, job=house.jobs["import"]),
        await ended(house, job=house.jobs["report"]),
    ]
    await house.trigger(project_id=active)
    await house.conn.execute("update projects set deleted_at = now() where id = $1", gone)

    changed = Tawny()

    @changed.job("export")
    def export(run: Run, month: str = "2026-01", dry_run: bool = False) -> None: ...

    @changed.job("report")
    def report(run: Run, wanted_now: int) -> None: ...

    assert await retry_many(house, old, dict(changed.jobs)) == {
        "made": 1,
        "already_active": 1,
        "project_gone": 1,
        "unknown_job_type": 1,
        "invalid_params": 1,
    }


async def test_of_many_those_of_another_team_are_left_alone(house) -> None:
    old = await ended(house)
    assert await runs.retry_many(house.conn, uuid7(), [old], house.jobs, triggered_by="manual:host") == {}


async def test_runs_of_the_servers_own_job_types_are_not_retried(house) -> None:
    made = await runs.trigger_builtin(house.conn, house.actor, "tawny.bulk", team_id=house.team_id, params={}, slot="retry")
    await runs.cancel(house.conn, house.actor, made.id, include_pending=True)
    with pytest.raises(InvalidRequest, match="the server's own"):
        await retry(house, made.id)
    assert await retry_many(house, [made.id]) == {"builtin_job": 1}
