"""Once a day each connected project gets a sync of its own."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from tests.waiting import until

from integrations.revenuecat.conftest import Town
from integrations.revenuecat.test_sync import named
from tawny import builtin, runs
from tawny.access import Actor
from tawny.builtin import SYNC_ALL
from tawny.config import Settings
from tawny.integrations.revenuecat import SYNC
from tawny.testing.revenuecat import Key

pytestmark = pytest.mark.slow


async def all_synced(town: Town) -> dict[str, Any]:
    """Trigger the fan-out and wait until every run has ended; its result."""
    jobs = builtin.jobs_beside(town.floor.app.jobs, Settings(), town.revenuecat)
    async with town.working():
        made = await runs.trigger_system(town.conn, Actor.host(), jobs[SYNC_ALL])
        await town.floor.wake()
        ended = await town.floor.ended(made.id)
        assert ended["status"] == "completed", ended["error"]

        async def over() -> bool:
            return not await town.conn.fetchval("select count(*) from job_runs where outcome is null")

        await until(over, "the end of all syncs")
    result: dict[str, Any] = json.loads(str(ended["result"]))
    return result


async def syncs(town: Town) -> dict[UUID, str]:
    rows = await town.conn.fetch("select project_id, status from job_runs where job_type = $1", SYNC)
    return {row["project_id"]: row["status"] for row in rows}


async def test_one_bad_project_stops_no_other(town: Town) -> None:
    bad, off, unconnected = [await town.add_project() for _ in range(3)]
    await town.connect(Key("sk_that_nobody_knows"), bad)
    await town.connect(project_id=off)
    await town.conn.execute("update integrations set enabled = false where project_id = $1", off)
    result = await all_synced(town)
    assert result == {"projects_processed": 2, "triggered": 2, "already_active": 0, "projects_errored": []}
    assert await syncs(town) == {town.project_id: "completed", bad: "failed"}
    assert unconnected not in await syncs(town)
    assert len(await town.table()) == len(named(town.fake))
    by = await town.conn.fetch("select distinct triggered_by from job_runs where job_type = $1", SYNC)
    assert [row["triggered_by"] for row in by] == [f"system:{SYNC_ALL}"]


async def test_a_project_whose_trigger_breaks_is_named(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = await town.add_project()
    await town.connect(project_id=bad)
    real = runs.trigger_within

    async def breaking(conn: Any, job: Any, **where: Any) -> Any:
        if where["project_id"] == bad:
            raise asyncpg.DataError("no")
        return await real(conn, job, **where)

    monkeypatch.setattr(runs, "trigger_within", breaking)
    result = await all_synced(town)
    assert result == {"projects_processed": 2, "triggered": 1, "already_active": 0, "projects_errored": [str(bad)]}
    assert await syncs(town) == {town.project_id: "completed"}


async def test_a_project_that_is_synced_already_is_left_alone(town: Town) -> None:
    await town.trigger()
    result = await all_synced(town)
    assert result == {"projects_processed": 1, "triggered": 0, "already_active": 1, "projects_errored": []}
    assert len(await syncs(town)) == 1


async def test_it_is_due_by_itself_at_night(town: Town) -> None:
    job = builtin.jobs_beside({}, Settings())[SYNC_ALL]
    assert (job.scope, job.cron, job.timezone, job.builtin) == ("system", "0 3 * * *", "UTC", True)
