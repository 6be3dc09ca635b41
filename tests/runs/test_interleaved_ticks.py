"""A tick, and whoever else wants the same slot, schedule or project: whatever comes first, one run at most is made."""

from __future__ import annotations

from uuid import UUID

import pytest
from tests.runs.interleave import Answers, Part, Stage
from tests.runs.players import delete_project, trigger

from tawny import schedules
from tawny.errors import Conflict

pytestmark = pytest.mark.walk


def tick(house) -> Part:
    return Part(lambda conn: schedules.tick(conn, house.jobs))


async def due(house) -> UUID:
    """A schedule of the house's project whose time has come."""
    made = await schedules.create_schedule(
        house.conn, house.actor, house.jobs, house.project_id, job_type="export", cron="0 0 1 1 *"
    )
    await house.conn.execute("update schedules set next_at = date_trunc('second', now()), look_at = now()")
    return made.id


async def decisions(house, schedule_id: UUID) -> list[str]:
    rows = await house.conn.fetch("select decision from schedule_ticks where schedule_id = $1", schedule_id)
    return [row["decision"] for row in rows]


async def active(house) -> list[str]:
    return [row["triggered_by"] for row in await house.conn.fetch("select triggered_by from job_runs where outcome is null")]


async def test_tick_and_tick(house, merge) -> None:
    """Two workers look at the same moment: one decides, the other finds nothing to do."""

    async def stage() -> Stage:
        schedule_id = await due(house)

        async def check(answers: Answers) -> None:
            assert sorted(answer.schedules for answer in answers.values()) == [0, 1]
            assert await decisions(house, schedule_id) == ["started"]
            assert await active(house) == ["schedule"]

        return Stage({"one": tick(house), "other": tick(house)}, check)

    await merge(stage)


async def test_tick_and_trigger(house, merge) -> None:
    """One of them has the slot, and the other is told so. Or the tick has not waited, and is taken up again."""

    async def stage() -> Stage:
        schedule_id = await due(house)

        async def check(answers: Answers) -> None:
            decided = await decisions(house, schedule_id)
            if isinstance(answers["trigger"], Conflict):
                assert (decided, await active(house)) == (["started"], ["schedule"])
            else:
                assert decided in (["skipped_active"], [])
                assert await active(house) == [f"manual:{house.actor.label}"]
            again = "select next_at <= now() and look_at > now() from schedules"
            assert bool(decided) is not await house.conn.fetchval(again), "what is not decided is looked at again"

        return Stage({"tick": tick(house), "trigger": Part(trigger(house))}, check)

    await merge(stage)


async def test_tick_and_delete_project(house, merge) -> None:
    """No run is left for a project that is gone, and no schedule of it is due any more."""

    async def stage() -> Stage:
        schedule_id = await due(house)

        async def check(answers: Answers) -> None:
            assert await active(house) == []
            assert await house.conn.fetchval(
                "select next_at is null and look_at is null and deleted_at is not null from schedules"
            )
            assert await decisions(house, schedule_id) in (["started"], [])

        return Stage({"tick": tick(house), "delete": delete_project(house, house.project_id)}, check)

    await merge(stage)
