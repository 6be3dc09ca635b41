"""Schedules of system jobs follow the code, and lose nothing on the way."""

from __future__ import annotations

from datetime import timedelta

from tawny import Run, Tawny, schedules

HOUR = timedelta(hours=1)


def app_with(**options: object) -> Tawny:
    app = Tawny()

    @app.system_job("sweep", **options)
    def sweep(run: Run) -> None: ...

    return app


async def declare(desk, app: Tawny) -> None:
    desk.jobs = app.jobs
    async with desk.conn.transaction():
        await schedules.declare(desk.conn, app.jobs)


async def only(desk) -> dict:
    (row,) = await desk.conn.fetch("select * from schedules")
    return dict(row)


async def test_a_system_job_with_a_cron_has_a_schedule_of_no_team(desk) -> None:
    await declare(desk, app_with(cron="0 2 * * *", timezone="Europe/Vienna", catch_up="none"))
    row = await only(desk)
    assert (row["team_id"], row["job_type"], row["cron"]) == (None, "sweep", "0 2 * * *")
    assert (row["timezone"], row["catch_up"]) == ("Europe/Vienna", "none")
    assert row["next_at"] == row["look_at"]


async def test_one_without_has_none(desk) -> None:
    await declare(desk, app_with())
    assert await desk.conn.fetch("select * from schedules") == []


async def test_it_starts_a_system_run(desk) -> None:
    await declare(desk, app_with(cron="0 * * * *"))
    row = await only(desk)
    await desk.make_due(row["id"], HOUR)
    assert (await desk.tick()).started == 1
    (run,) = await desk.runs()
    assert (run["team_id"], run["project_id"], run["job_type"], run["triggered_by"]) == (None, None, "sweep", "schedule")


async def test_a_system_run_that_is_active_skips_the_tick(desk) -> None:
    await declare(desk, app_with(cron="0 * * * *"))
    row = await only(desk)
    for decisions in (["started"], ["skipped_active"]):
        await desk.conn.execute("delete from schedule_ticks")
        await desk.make_due(row["id"], HOUR)
        await desk.tick()
        assert await desk.decisions(row["id"]) == decisions


async def test_declared_again_it_keeps_its_id_and_what_is_due(desk) -> None:
    await declare(desk, app_with(cron="0 * * * *"))
    before = await only(desk)
    due_at = await desk.make_due(before["id"], HOUR)
    await declare(desk, app_with(cron="0 * * * *", catch_up="all"))
    after = await only(desk)
    assert (after["id"], after["next_at"], after["catch_up"]) == (before["id"], due_at, "all")
    await desk.tick()
    assert await desk.decisions(before["id"]) == ["started"]


async def test_with_another_expression_it_is_due_at_the_next_time_of_that(desk) -> None:
    await declare(desk, app_with(cron="0 * * * *"))
    before = await only(desk)
    await desk.make_due(before["id"], HOUR)
    await declare(desk, app_with(cron="30 * * * *"))
    after = await only(desk)
    assert after["id"] == before["id"]
    assert after["next_at"] == after["look_at"]
    assert after["next_at"].minute == 30
    assert (await desk.tick()).schedules == 0


async def test_taken_out_of_the_code_it_rests_and_comes_back_under_its_id(desk) -> None:
    await declare(desk, app_with(cron="0 * * * *"))
    before = await only(desk)
    await desk.make_due(before["id"], HOUR)
    await desk.tick()
    await declare(desk, app_with())
    assert (await only(desk))["next_at"] is None
    await declare(desk, app_with(cron="0 * * * *"))
    after = await only(desk)
    assert after["id"] == before["id"]
    assert after["next_at"]
    assert await desk.decisions(before["id"]) == ["started"], "its history is there"


async def test_schedules_of_projects_are_not_the_codes(desk) -> None:
    schedule_id = await desk.schedule()
    await declare(desk, app_with())
    assert (await desk.row(schedule_id))["next_at"]


async def test_when_the_rules_of_a_time_zone_have_changed_what_is_to_come_moves(desk) -> None:
    moved, kept, due = [await desk.schedule(cron="0 2 1 1 *", timezone="Europe/Vienna") for _ in range(3)]
    right = (await desk.row(moved))["next_at"]
    for schedule_id, at in ((moved, right + HOUR), (due, right - timedelta(days=800))):
        await desk.conn.execute("update schedules set next_at = $2, look_at = $2 where id = $1", schedule_id, at)
    assert await schedules.refresh(desk.conn) == 1
    assert (await desk.row(moved))["next_at"] == right
    assert (await desk.row(moved))["look_at"] == right
    assert (await desk.row(kept))["next_at"] == right
    assert (await desk.row(due))["next_at"] == right - timedelta(days=800), "what is due stays due"
