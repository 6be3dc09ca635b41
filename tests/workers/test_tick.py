"""Workers start by themselves what is due."""

from __future__ import annotations

from uuid import UUID

from tests.waiting import until

from tawny import Run, schedules
from tawny.db.ids import uuid7
from tawny.workers import tick


async def schedule(floor, job_type: str) -> UUID:
    """A schedule that is due now."""
    project_id = uuid7()
    await floor.conn.execute(
        "insert into projects (id, team_id, name, slug, color) values ($1, $2, 'P', $3, '#000000')",
        project_id,
        floor.team_id,
        str(project_id),
    )
    made = await schedules.create_schedule(
        floor.conn, floor.actor, floor.app.jobs, project_id, job_type=job_type, cron="0 0 1 1 *", params={"n": 3}
    )
    await make_due(floor, made.id)
    return made.id


async def make_due(floor, schedule_id: UUID) -> None:
    sql = "update schedules set next_at = date_trunc('second', now()), look_at = now() where id = $1"
    await floor.conn.execute(sql, schedule_id)


async def started(floor, schedule_id: UUID) -> UUID:
    """Wait for the tick, and return the run that it has started."""

    async def fact() -> object:
        return await floor.conn.fetchval("select run_id from schedule_ticks where schedule_id = $1", schedule_id)

    return await until(fact, f"a tick of schedule {schedule_id}")


async def test_a_worker_starts_what_is_due_and_executes_it(floor) -> None:
    @floor.app.job("count")
    async def count(run: Run, n: int) -> dict:
        return {"counted": n, "project": str(run.project_id)}

    schedule_id = await schedule(floor, "count")
    async with floor.working():
        row = await floor.ended(await started(floor, schedule_id))
    assert (row["status"], row["triggered_by"]) == ("completed", "schedule")
    assert '"counted": 3' in row["result"]


async def test_a_worker_ticks_only_for_the_job_types_that_it_executes(floor) -> None:
    @floor.app.job("mine")
    async def mine(run: Run, n: int) -> None: ...

    @floor.app.job("theirs")
    async def theirs(run: Run, n: int) -> None: ...

    others, own = await schedule(floor, "theirs"), await schedule(floor, "mine")
    async with floor.working(job_types=["mine"]):
        await floor.ended(await started(floor, own))
    assert await floor.conn.fetchval("select count(*) from schedule_ticks where schedule_id = $1", others) == 0


async def test_while_nothing_is_due_a_beat_is_one_look(floor) -> None:
    @floor.app.job("count")
    async def count(run: Run, n: int) -> None: ...

    assert await tick.beat(floor.conn, floor.app.jobs, notify=False) == tick.BEAT
    schedule_id = await schedule(floor, "count")
    assert await tick.beat(floor.conn, floor.app.jobs, notify=True) == 0, "there may be more to do"
    soon = "update schedules set next_at = now() + interval '300 ms', look_at = now() + interval '300 ms' where id = $1"
    await floor.conn.execute(soon, schedule_id)
    assert 0 < await tick.beat(floor.conn, floor.app.jobs, notify=False) <= 0.3, "it wakes when the next one is due"


async def test_what_another_worker_has_in_its_hands_is_waited_for_a_moment(floor, pool) -> None:
    @floor.app.job("count")
    async def count(run: Run, n: int) -> None: ...

    await schedule(floor, "count")
    async with pool.transaction() as other:
        await other.execute("select from schedules for update")
        assert 0 < await tick.beat(floor.conn, floor.app.jobs, notify=False) <= 0.1
