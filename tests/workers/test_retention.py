"""The server's own system jobs: what is too old goes, and nothing else does."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from tawny import runs, schedules
from tawny.access import Actor
from tawny.builtin import CLEAN_UP, NOTIFICATION_CLEAN_UP, RETENTION, SYNC_ALL, jobs_beside
from tawny.config import Settings
from tawny.db.ids import uuid7
from tawny.integrations.revenuecat import store
from tawny.integrations.revenuecat.shapes import Customer
from tawny.integrations.revenuecat.store import Owner

HOST = Actor.host()
_RUN = """
insert into job_runs (id, team_id, project_id, job_type, status, triggered_by, created_at, completed_at, worker_id, log_lines)
select $1, $2, $3, 'old', $4, 'schedule', $5::timestamptz, case when $4 in ('completed', 'failed') then $6::timestamptz end,
    case when $4 = 'running' then gen_random_uuid() end, $7
"""
_LINES = """
insert into run_logs (run_id, seq, team_id, attempt, level, message, logged_at)
select $1, n, $2, 1, 20, 'line', now() from generate_series(1, $3) as n
"""


def id_of(made: datetime) -> UUID:
    """An id that a run of this time may have."""
    return UUID(int=int(made.timestamp() * 1000) << 80 | 7 << 76 | 2 << 62 | random.getrandbits(60))


@dataclass
class Attic:
    """Old and new things of a team."""

    floor: object
    project_id: UUID

    async def run(self, days: float, status: str = "completed", *, ended: float | None = None, lines: int = 0) -> UUID:
        """A run that was made so many days ago, and ended then too, or later."""
        made, now = datetime.now(UTC) - timedelta(days=days), datetime.now(UTC)
        run_id, team_id = id_of(made), self.floor.team_id
        ended_at = now - timedelta(days=days if ended is None else ended)
        project_id = self.project_id if status == "completed" else uuid7()
        await self.floor.conn.execute(_RUN, run_id, team_id, project_id, status, made, ended_at, lines)
        await self.floor.conn.execute(
            """insert into run_events (run_id, seq, team_id, kind, attempt)
            select $1, n, $2, 'triggered', 0 from generate_series(1, 3) as n""",
            run_id,
            team_id,
        )
        await self.floor.conn.execute(_LINES, run_id, team_id, lines)
        return run_id

    async def left(self, table: str, column: str = "run_id") -> set[UUID]:
        return {row[0] for row in await self.floor.conn.fetch(f"select distinct {column} from {table}")}

    async def runs(self) -> set[UUID]:
        return {row[0] for row in await self.floor.conn.fetch("select id from job_runs where team_id is not null")}

    @asynccontextmanager
    async def working(self, **settings: object) -> AsyncIterator[None]:
        self.jobs = jobs_beside({}, Settings(**settings))
        async with self.floor.working(builtin=self.jobs):
            yield

    async def did(self, job_type: str) -> dict[str, object]:
        """Run a system job, and return its result."""
        made = await runs.trigger_system(self.floor.conn, HOST, self.jobs[job_type])
        await self.floor.wake()
        row = await self.floor.ended(made.id)
        assert row["status"] == "completed", row["error"]
        result: dict[str, object] = json.loads(row["result"])
        return result


@pytest.fixture
async def attic(floor) -> Attic:
    project_id = uuid7()
    await floor.conn.execute(
        "insert into projects (id, team_id, name, slug, color) values ($1, $2, 'P', 'p', '#000000')", project_id, floor.team_id
    )
    return Attic(floor, project_id)


@pytest.mark.slow
async def test_runs_that_ended_long_ago_go_with_their_events_and_lines(attic: Attic) -> None:
    old = [await attic.run(days, lines=3) for days in (90.1, 400)]
    kept = {
        await attic.run(89.9, lines=0),
        await attic.run(0),
        await attic.run(200, ended=5),
        await attic.run(200, "running"),
        await attic.run(200, "pending"),
    }
    async with attic.working():
        assert await attic.did(RETENTION) == {"runs": 2, "log_lines": 6, "ticks": 0}
    assert await attic.runs() == kept
    assert not set(old) & await attic.left("run_events")
    assert kept <= await attic.left("run_events")
    assert await attic.left("run_logs") == set()


@pytest.mark.slow
async def test_lines_go_sooner_and_those_of_a_run_that_goes_on_stay(attic: Attic) -> None:
    old = await attic.run(15, lines=3)
    kept = {await attic.run(13, lines=1), await attic.run(200, "running", lines=2), await attic.run(30, ended=2, lines=1)}
    async with attic.working():
        assert (await attic.did(RETENTION))["log_lines"] == 3
    assert await attic.left("run_logs") == kept
    assert old in await attic.runs()


async def test_the_days_are_settings(attic: Attic) -> None:
    await attic.run(3, lines=2)
    kept = await attic.run(1.5, lines=2)
    async with attic.working(run_retention_days=2, log_retention_days=1):
        assert await attic.did(RETENTION) == {"runs": 1, "log_lines": 4, "ticks": 0}
    assert await attic.runs() == {kept}


async def test_it_takes_as_many_batches_as_it_needs(attic: Attic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tawny.builtin.retention.ROWS", 2)
    monkeypatch.setattr("tawny.builtin.retention.LINES", 3)
    for days in range(100, 107):
        await attic.run(days, lines=days % 3)
    async with attic.working():
        result = await attic.did(RETENTION)
    assert result["runs"] == 7
    assert await attic.runs() == set()
    assert await attic.left("run_logs") == set()


async def test_a_row_that_somebody_holds_is_left_to_another_night(attic: Attic, pool) -> None:
    held, gone = await attic.run(100), await attic.run(101)
    async with attic.working():
        async with pool.transaction() as other:
            await other.execute("select from job_runs where id = $1 for update", held)
            assert (await attic.did(RETENTION))["runs"] == 1
        assert await attic.runs() == {held}
        assert (await attic.did(RETENTION))["runs"] == 1
    assert gone not in await attic.runs()


async def test_old_ticks_go(attic: Attic) -> None:
    await attic.floor.conn.execute(
        """insert into schedule_ticks (schedule_id, due_at, decision, decided_at)
        select gen_random_uuid(), now(), 'missed', now() - n * interval '60 days' from generate_series(0, 2) as n"""
    )
    async with attic.working():
        assert (await attic.did(RETENTION))["ticks"] == 1
    assert await attic.floor.conn.fetchval("select count(*) from schedule_ticks") == 2


async def schedule(attic: Attic, project_id: UUID) -> UUID:
    attic.floor.app._jobs or attic.floor.app.job("mine")(_mine)
    made = await schedules.create_schedule(
        attic.floor.conn, attic.floor.actor, attic.floor.app.jobs, project_id, job_type="mine", cron="0 0 1 1 *"
    )
    await attic.floor.conn.execute(
        "insert into schedule_ticks (schedule_id, due_at, decision) select $1, now() - n * interval '1 h', 'missed' "
        "from generate_series(1, 3) as n",
        made.id,
    )
    return made.id


async def subscribers(attic: Attic, project_id: UUID) -> None:
    """Two subscribers of this project, one of whom has an entitlement."""
    owner = Owner(attic.floor.team_id, project_id)
    await store.discover(attic.floor.conn, owner, [Customer(id="one"), Customer(id="two")])
    await attic.floor.conn.execute(
        "insert into subscriber_entitlements (subscriber_id, entitlement, project_id, created_at) values ($1, 'pro', $2, now())",
        owner.id_of("one"),
        project_id,
    )


async def _mine(run) -> None: ...


async def test_what_was_deleted_a_week_ago_goes_for_good(attic: Attic) -> None:
    conn, team_id = attic.floor.conn, attic.floor.team_id
    await attic.run(1, lines=2)
    gone = await schedule(attic, attic.project_id)
    await subscribers(attic, attic.project_id)
    await runs.delete_project(conn, attic.floor.actor, attic.project_id)
    recent, living = uuid7(), uuid7()
    for project_id in (recent, living):
        await conn.execute(
            "insert into projects (id, team_id, name, slug, color) values ($1, $2, 'P', $3, '#000000')",
            project_id,
            team_id,
            str(project_id),
        )
    kept = await schedule(attic, recent)
    await runs.delete_project(conn, attic.floor.actor, recent)
    week = "deleted_at = now() - interval '8 days'"
    await conn.execute(f"update projects set {week} where id = $1", attic.project_id)
    await conn.execute(f"update schedules set {week} where id = $1", gone)
    async with attic.working():
        expected = {"projects": 1, "runs": 1, "subscribers": 2, "integrations": 0, "schedules": 1, "ticks": 3}
        assert await attic.did(CLEAN_UP) == expected
    assert await attic.left("projects", "id") == {recent, living}
    assert await attic.left("schedules", "id") == {kept}
    assert await attic.left("schedule_ticks", "schedule_id") == {kept}
    assert await attic.runs() == set()
    assert await attic.left("subscribers", "id") == await attic.left("subscriber_entitlements", "subscriber_id") == set()


async def test_a_deleted_project_with_a_run_that_still_goes_on_waits_for_it(attic: Attic) -> None:
    conn = attic.floor.conn
    run_id = await attic.run(1)
    await conn.execute("delete from job_runs")
    sql = "insert into job_runs (id, team_id, project_id, job_type, triggered_by) values ($1, $2, $3, 'other', 'schedule')"
    await conn.execute(sql, run_id, attic.floor.team_id, attic.project_id)
    await conn.execute("update projects set deleted_at = now() - interval '8 days'")
    async with attic.working():
        assert (await attic.did(CLEAN_UP))["projects"] == 0
    assert await attic.left("projects", "id") == {attic.project_id}


async def test_an_integration_that_was_deleted_goes(attic: Attic) -> None:
    conn = attic.floor.conn
    await conn.execute(
        """insert into integrations (id, team_id, project_id, provider, config, secrets, deleted_at)
        select gen_random_uuid(), $1, $2, 'p' || n, '{}', '{}', case when n > 0 then now() - n * interval '5 days' end
        from generate_series(0, 2) as n""",
        attic.floor.team_id,
        attic.project_id,
    )
    async with attic.working():
        assert (await attic.did(CLEAN_UP))["integrations"] == 1
    assert await conn.fetchval("select count(*) from integrations") == 2


async def test_old_deliveries_go_and_those_that_are_pending_stay(attic: Attic) -> None:
    await attic.floor.conn.execute(
        """insert into deliveries (id, team_id, channel, event, address, status, created_at, ended_at)
        select gen_random_uuid(), $1, 'mail', 'completed', 'ada@example.com', status, now() - age,
            case status when 'failed' then now() end
        from unnest(array['failed', 'pending']) as status, unnest(array['31 days', '29 days']::interval[]) as age""",
        attic.floor.team_id,
    )
    async with attic.working():
        assert await attic.did(NOTIFICATION_CLEAN_UP) == {"deliveries": 1}
    assert await attic.floor.conn.fetchval("select count(*) from deliveries") == 3


@pytest.mark.slow
async def test_all_are_due_by_themselves_at_night(attic: Attic) -> None:
    jobs = jobs_beside({}, Settings())
    async with attic.floor.conn.transaction():
        await schedules.declare(attic.floor.conn, jobs)
    rows = await attic.floor.conn.fetch("select job_type, cron, timezone from schedules order by cron, job_type")
    assert [tuple(row) for row in rows] == [
        (RETENTION, "0 2 * * *", "UTC"),
        (CLEAN_UP, "0 3 * * *", "UTC"),
        (SYNC_ALL, "0 3 * * *", "UTC"),
        (NOTIFICATION_CLEAN_UP, "0 6 * * *", "UTC"),
    ]
