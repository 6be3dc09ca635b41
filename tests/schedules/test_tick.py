"""Ticks on a real database: what is due is decided once, whoever looks and whatever else happens."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest

from tawny import runs, schedules
from tawny.db.pool import Pool, connect

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LONG_AGO = timedelta(hours=3)


async def test_what_is_due_starts_a_run_and_the_tick_names_it(desk) -> None:
    schedule_id = await desk.schedule()
    due_at = await desk.make_due(schedule_id, HOUR)
    ticked = await desk.tick()
    assert (ticked.schedules, ticked.started) == (1, 1)
    (run,) = await desk.runs()
    assert (run["triggered_by"], run["status"], run["job_type"]) == ("schedule", "pending", "import")
    assert await desk.ticks(schedule_id) == [(due_at, "started")]
    assert await desk.conn.fetchval("select run_id from schedule_ticks") == run["id"]
    assert (await desk.row(schedule_id))["next_at"] == due_at + HOUR


async def test_the_event_of_the_run_says_which_schedule_and_due_time(desk) -> None:
    schedule_id = await desk.schedule()
    due_at = await desk.make_due(schedule_id, HOUR)
    await desk.tick()
    data = await desk.conn.fetchval("select data ->> 'schedule_id' || ' ' || (data ->> 'due_at') from run_events")
    assert data == f"{schedule_id} {due_at.isoformat(timespec='milliseconds').replace('+00:00', 'Z')}"


async def test_what_is_not_due_is_left_alone(desk) -> None:
    schedule_id = await desk.schedule()
    assert (await desk.tick()).schedules == 0
    assert await desk.ticks(schedule_id) == []


async def test_while_a_run_is_active_the_tick_is_skipped_and_says_which_run(desk) -> None:
    schedule_id = await desk.schedule()
    made = await runs.trigger(
        desk.conn, desk.actor, desk.jobs["import"], team_id=desk.team_id, project_id=desk.project_id, params={}
    )
    await desk.make_due(schedule_id, HOUR)
    await desk.tick()
    row = await desk.conn.fetchrow("select decision, reason, run_id from schedule_ticks")
    assert tuple(row) == ("skipped_active", "a run is active", made.id)
    assert len(await desk.runs()) == 1


async def test_params_that_tell_runs_apart_do_so_for_schedules(desk) -> None:
    for month in ("2026-01", "2026-02", "2026-02"):
        schedule_id = await desk.schedule("export", params={"month": month})
        await desk.make_due(schedule_id, HOUR)
    await desk.tick()
    assert sorted(run["params"] for run in await desk.runs()) == [
        f'{{"month": "{month}", "project_id": "{desk.project_id}"}}' for month in ("2026-01", "2026-02")
    ]
    assert await desk.conn.fetchval("select count(*) from schedule_ticks where decision = 'skipped_active'") == 1


async def test_after_a_while_of_nothing_the_last_due_time_is_made_up_for(desk) -> None:
    schedule_id = await desk.schedule()
    await desk.make_due(schedule_id, LONG_AGO)
    await desk.tick()
    assert await desk.decisions(schedule_id) == ["missed", "missed", "started"]


async def test_or_none_of_them(desk) -> None:
    schedule_id = await desk.schedule(catch_up="none", cron="0 */5 * * *")
    await desk.make_due(schedule_id, timedelta(hours=20))
    await desk.conn.execute("update schedules set cron = '0 0 1 1 *'")  # so that no due time is on time by chance
    await desk.conn.execute("update schedules set next_at = now() - interval '1 hour', look_at = now()")
    await desk.tick()
    assert await desk.decisions(schedule_id) == ["missed"]
    assert await desk.runs() == []


async def test_or_all_of_them_one_after_the_other(desk) -> None:
    schedule_id = await desk.schedule(catch_up="all")
    await desk.make_due(schedule_id, LONG_AGO)
    assert (await desk.tick()).started == 1
    assert (await desk.tick()).started == 0, "the second waits for the first"
    assert await desk.decisions(schedule_id) == ["started"]
    for done in (2, 3):
        await desk.finish_all()
        await desk.conn.execute("update schedules set look_at = now()")
        await desk.tick()
        assert await desk.decisions(schedule_id) == ["started"] * done
    assert await desk.conn.fetchval("select look_at = next_at and next_at > now() from schedules")


async def test_what_lies_more_than_a_day_back_is_one_row_with_from_to_and_count(desk) -> None:
    schedule_id = await desk.schedule()
    due_at = await desk.make_due(schedule_id, 3 * DAY)
    await desk.tick()
    row = await desk.conn.fetchrow("select * from schedule_ticks order by due_at limit 1")
    assert (row["due_at"], row["decision"]) == (due_at, "missed")
    assert (row["times"], row["until"]) in ((48, due_at + 47 * HOUR), (47, due_at + 46 * HOUR))
    assert (await desk.decisions(schedule_id))[-1] == "started"
    assert len(await desk.runs()) == 1


async def test_a_paused_schedule_writes_its_due_times_down_and_starts_nothing(desk) -> None:
    schedule_id = await desk.schedule(enabled=False)
    await desk.make_due(schedule_id, timedelta(hours=2))
    await desk.tick()
    assert await desk.decisions(schedule_id) == ["skipped_disabled"] * 2
    assert await desk.runs() == []


async def test_params_that_do_not_fit_any_more_start_nothing_and_say_so(desk) -> None:
    schedule_id = await desk.schedule("export")
    await desk.make_due(schedule_id, HOUR)
    await desk.conn.execute("""update schedules set params = '{"week": 5}'""")
    await desk.tick()
    assert await desk.decisions(schedule_id) == ["skipped_disabled"]
    assert "week" in await desk.conn.fetchval("select reason from schedule_ticks")


async def test_a_job_type_that_has_become_a_system_job_starts_nothing_for_a_project(desk) -> None:
    schedule_id = await desk.schedule()
    await desk.make_due(schedule_id, HOUR)
    desk.jobs = {"import": replace(desk.jobs["import"], scope="system")}
    await desk.tick()
    assert await desk.decisions(schedule_id) == ["skipped_disabled"]
    assert await desk.conn.fetchval("select reason from schedule_ticks") == "import is a system job by now"
    assert await desk.runs() == []


async def test_a_job_type_that_is_not_known_here_is_left_to_others(desk) -> None:
    schedule_id = await desk.schedule()
    await desk.make_due(schedule_id, HOUR)
    async with desk.conn.transaction():
        ticked = await schedules.tick(desk.conn, {"export": desk.jobs["export"]})
    assert ticked.schedules == 0
    await desk.tick()
    assert await desk.decisions(schedule_id) == ["started"]


async def test_a_schedule_of_a_time_zone_that_is_not_known_here_holds_nobody_up(desk) -> None:
    broken, fine = await desk.schedule(), await desk.schedule("export")
    for schedule_id in (broken, fine):
        await desk.make_due(schedule_id, HOUR)
    await desk.conn.execute("update schedules set timezone = 'Mars/Olympus' where id = $1", broken)
    await desk.tick()
    assert (await desk.decisions(broken), await desk.decisions(fine)) == ([], ["started"])
    assert await desk.conn.fetchval("select look_at > now() + interval '5 minutes' from schedules where id = $1", broken)


async def test_the_schedules_of_a_deleted_project_are_due_no_more(desk) -> None:
    schedule_id = await desk.schedule()
    await desk.make_due(schedule_id, HOUR)
    await runs.delete_project(desk.conn, desk.actor, desk.project_id)
    assert (await desk.tick()).schedules == 0
    row = await desk.row(schedule_id)
    assert row["deleted_at"]
    assert row["next_at"] is None


async def test_a_project_that_somebody_is_about_to_delete_is_stepped_over(desk, pool: Pool) -> None:
    schedule_id = await desk.schedule()
    await desk.make_due(schedule_id, HOUR)
    async with pool.transaction() as deleting:
        await deleting.execute("select from projects where id = $1 for update", desk.project_id)
        await desk.tick()
        assert await desk.decisions(schedule_id) == []
    await desk.conn.execute("update schedules set look_at = now()")
    await desk.tick()
    assert await desk.decisions(schedule_id) == ["started"]


async def test_a_slot_that_somebodys_open_transaction_holds_delays_only_its_own_schedule(desk, pool: Pool) -> None:
    stuck = await desk.schedule()
    others = [await desk.schedule(project_id=await desk.add_project()) for _ in range(3)]
    for schedule_id in (stuck, *others):
        await desk.make_due(schedule_id, HOUR)
    async with pool.transaction() as authors:
        await runs.trigger(authors, desk.actor, desk.jobs["import"], team_id=desk.team_id, project_id=desk.project_id, params={})
        await desk.tick()
        assert await desk.decisions(stuck) == []
        assert [await desk.decisions(other) for other in others] == [["started"]] * 3
    await desk.conn.execute("update schedules set look_at = now() where id = $1", stuck)
    await desk.tick()
    assert await desk.decisions(stuck) == ["skipped_active"]


async def test_many_who_look_at_once_decide_each_due_time_once(desk, database_url: str) -> None:
    made = [await desk.schedule(project_id=await desk.add_project()) for _ in range(20)]
    for schedule_id in made:
        await desk.make_due(schedule_id, LONG_AGO)
    conns = [await connect(database_url) for _ in range(4)]

    async def look(conn) -> int:
        started = 0
        for _ in range(6):
            async with conn.transaction():
                started += (await schedules.tick(conn, desk.jobs, at_most=3)).started
        return started

    try:
        assert sum(await asyncio.gather(*map(look, conns))) == 20
    finally:
        for conn in conns:
            await conn.close()
    assert [await desk.decisions(schedule_id) for schedule_id in made] == [["missed", "missed", "started"]] * 20
    assert len(await desk.runs()) == 20


async def test_a_due_time_that_is_decided_cannot_be_decided_again(desk) -> None:
    """If two ever took one schedule at once, the key of the tick stops the second, and its run with it."""
    schedule_id = await desk.schedule()
    due_at = await desk.make_due(schedule_id, HOUR)
    await desk.tick()
    await desk.finish_all()
    await desk.conn.execute("update schedules set next_at = $1, look_at = $1", due_at)
    with pytest.raises(asyncpg.UniqueViolationError):
        await desk.tick()
    assert len(await desk.runs()) == 1


async def test_when_the_transaction_fails_neither_tick_nor_run_is_there(desk) -> None:
    schedule_id = await desk.schedule()
    due_at = await desk.make_due(schedule_id, HOUR)
    transaction = desk.conn.transaction()
    await transaction.start()
    assert (await schedules.tick(desk.conn, desk.jobs)).started == 1
    await transaction.rollback()
    assert (await desk.runs(), await desk.ticks(schedule_id)) == ([], [])
    await desk.tick()
    assert await desk.ticks(schedule_id) == [(due_at, "started")]


async def test_a_batch_ends_before_it_writes_too_much(desk) -> None:
    made = [await desk.schedule(cron="* * * * *", project_id=await desk.add_project()) for _ in range(3)]
    for schedule_id in made:
        await desk.make_due(schedule_id, timedelta(hours=20))
    ticked = await desk.tick()
    assert ticked.schedules == 1
    await desk.tick()
    await desk.tick()
    assert (await desk.tick()).schedules == 0


async def test_how_long_until_the_next_is_due(desk) -> None:
    assert await schedules.seconds_to_next(desk.conn, list(desk.jobs)) is None
    schedule_id = await desk.schedule()
    assert 0 < await schedules.seconds_to_next(desk.conn, list(desk.jobs)) <= 3600
    assert await schedules.seconds_to_next(desk.conn, ["export"]) is None
    await desk.make_due(schedule_id, HOUR)
    assert await schedules.seconds_to_next(desk.conn, list(desk.jobs)) <= 0
