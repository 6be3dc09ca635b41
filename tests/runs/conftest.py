"""A team with a project, an actor who may do everything in it, and workers that are only rows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import pytest
from tests.pgbouncer import POOLER
from tests.runs import invariants
from tests.runs.interleave import Stage, play_all

from tawny import Run, Tawny, access, runs
from tawny.access import Actor
from tawny.db.ids import uuid7
from tawny.db.pool import Connection, connect
from tawny.jobs import Job
from tawny.runs import Claimed

app = Tawny()


@app.job("export")
def export(run: Run, month: str = "2026-01", dry_run: bool = False) -> None:
    """Never runs here: these tests play the worker."""


@app.job("import")
def import_(run: Run) -> None:
    """Another type."""


@app.job("report", unique_by=("month", "count"))
def report(run: Run, month: str = "2026-01", count: int = 1, dry_run: bool = False) -> None:
    """One of each month and count may be active."""


@app.job("anything")
def anything(run: Run, **params: object) -> None:
    """Takes whatever there is."""


@app.system_job("sweep")
def sweep(run: Run) -> None:
    """A system job."""


@dataclass
class House:
    """What the tests of this room start from."""

    conn: Connection
    actor: Actor
    team_id: UUID
    project_id: UUID
    job: Job
    jobs: dict[str, Job]

    async def trigger(self, **changes: object) -> UUID:
        wanted = {"team_id": self.team_id, "project_id": self.project_id} | changes
        return (await runs.trigger(self.conn, self.actor, wanted.pop("job", self.job), **wanted)).id

    async def new_project(self) -> UUID:
        project_id = uuid7()
        await self.conn.execute(
            "insert into projects (id, team_id, name, slug, color) values ($1, $2, 'P', $3, '#000000')",
            project_id,
            self.team_id,
            str(project_id),
        )
        return project_id

    async def enlist(self, lease: float = 60) -> UUID:
        return await runs.enlist(self.conn, name="test:1", version="0", lease=lease)

    async def claim(self, worker_id: UUID, slots: int = 100) -> list[Claimed]:
        return await runs.claim(self.conn, worker_id, job_types=["export", "import"], slots=slots)

    async def running(self) -> tuple[UUID, Claimed]:
        """A run in the hands of a new worker."""
        await self.trigger()
        worker_id = await self.enlist()
        (claimed,) = await self.claim(worker_id)
        return worker_id, claimed

    async def die(self, worker_id: UUID) -> None:
        await self.conn.execute("update workers set leased_until = now() - interval '1 second' where id = $1", worker_id)

    async def row(self, run_id: UUID) -> dict[str, object]:
        return dict(await self.conn.fetchrow("select * from job_runs where id = $1", run_id))

    async def facts(self, run_id: UUID) -> list[str]:
        rows = await self.conn.fetch("select seq, kind from run_events where run_id = $1 order by seq", run_id)
        assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1)), "the events of a run are numbered without gaps"
        return [row["kind"] for row in rows]


@pytest.fixture
async def house(conn: Connection) -> House:
    team_id, project_id, user_id = uuid7(), uuid7(), uuid7()
    await conn.execute("insert into teams (id, name, slug) values ($1, 'T', $2)", team_id, str(team_id))
    actor = Actor("user", user_id, roles={team_id: "owner"}, user_id=user_id)
    house = House(conn, actor, team_id, project_id, app.jobs["export"], dict(app.jobs))
    house.project_id = await house.new_project()
    return house


Reaper = Callable[[], Awaitable[dict[UUID, str]]]


@pytest.fixture
def reap(conn: Connection) -> Reaper:
    async def reap() -> dict[UUID, str]:
        async with conn.transaction():
            return await runs.reap(conn, lease=0)

    return reap


AFRESH = """
delete from schedule_ticks; delete from schedules;
delete from run_logs; delete from run_events; delete from job_runs; delete from run_totals; delete from workers;
delete from job_places; delete from idempotency_keys; delete from effects; update projects set deleted_at = null;
"""
Merge = Callable[[Callable[[], Awaitable[Stage]]], Awaitable[int]]


@pytest.fixture
async def merge(house, database_url: str) -> AsyncIterator[Merge]:
    """Plays every merge of what a stage holds. All connections count in one shard, as chance may have it any day."""
    if POOLER:
        pytest.skip("who waits for whom is told by the pids of servers, which a pooler hides")
    shard = await house.conn.fetchval("select pg_get_functiondef('my_shard'::regproc)")
    await house.conn.execute("create or replace function my_shard() returns smallint language sql as 'select 0::smallint'")
    await house.conn.execute("create table effects (run_id uuid)")
    conns = [await connect(database_url) for _ in range(3)]

    async def merge(set_stage: Callable[[], Awaitable[Stage]]) -> int:
        async def afresh() -> Stage:
            await house.conn.execute(AFRESH)
            return await set_stage()

        count = await play_all(afresh, partial(invariants.check, house.conn), conns, house.conn)
        assert count > 1, "nobody met anybody"
        return count

    yield merge
    for conn in conns:
        await conn.execute("rollback")
        await conn.close()
    await house.conn.execute(f"drop table effects; {shard}")


assert access  # the room is imported for its side of `runs.trigger`
