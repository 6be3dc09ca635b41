"""A real worker in the test's own loop, on a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from tests.waiting import until

from tawny import Tawny, runs
from tawny.access import Actor
from tawny.db.ids import uuid7
from tawny.db.pool import Connection
from tawny.runs.statements import queries
from tawny.runs.wake import CHANNEL, NEW_RUN
from tawny.workers.worker import Worker


@dataclass
class Floor:
    """A team to trigger for, and workers to do it."""

    conn: Connection
    url: str
    app: Tawny = field(default_factory=Tawny)
    team_id: UUID = field(default_factory=uuid7)
    actor: Actor = field(init=False)

    def __post_init__(self) -> None:
        self.actor = Actor("user", uuid7(), roles={self.team_id: "owner"})

    async def trigger(self, job_type: str, **params: object) -> UUID:
        project_id = uuid7()
        await self.conn.execute(
            "insert into projects (id, team_id, name, slug, color) values ($1, $2, 'P', $3, '#000000')",
            project_id,
            self.team_id,
            str(project_id),
        )
        job = self.app.jobs[job_type]
        made = await runs.trigger(self.conn, self.actor, job, team_id=self.team_id, project_id=project_id, params=params)
        await self.wake()
        return made.id

    async def wake(self) -> None:
        await queries.wake(self.conn, channel=CHANNEL, messages=[NEW_RUN])

    def worker(self, **options: object) -> Worker:
        return Worker(self.app, **{"url": self.url, "concurrency": 10, "lease": 2.0, "drain": 5.0, **options})

    @asynccontextmanager
    async def working(self, **options: object) -> AsyncIterator[Worker]:
        worker = self.worker(**options)
        task = asyncio.create_task(worker.run())
        await worker.ready.wait()
        try:
            yield worker
        finally:
            worker.hurry()
            await task

    async def row(self, run_id: UUID) -> dict[str, object]:
        return dict(await self.conn.fetchrow("select * from job_runs where id = $1", run_id))

    async def facts(self, run_id: UUID) -> list[str]:
        rows = await self.conn.fetch("select kind from run_events where run_id = $1 order by seq", run_id)
        return [row["kind"] for row in rows]

    async def ended(self, run_id: UUID) -> dict[str, object]:
        """Wait until the run has ended, and return its row."""

        async def fact() -> object:
            return await self.conn.fetchval("select outcome from job_runs where id = $1", run_id)

        await until(fact, f"the end of run {run_id}")
        return await self.row(run_id)

    async def fact(self, run_id: UUID, kind: str) -> None:
        """Wait until there is a fact of this kind about the run."""

        async def fact() -> object:
            return kind in await self.facts(run_id)

        await until(fact, f"the fact {kind} about run {run_id}")

    async def make_due(self, run_id: UUID) -> None:
        """Spare the test the wait before a retry."""
        await self.conn.execute("update job_runs set run_at = now() where id = $1 and status = 'pending'", run_id)
        await self.wake()

    async def status(self, run_id: UUID, status: str) -> None:
        async def fact() -> object:
            return (await self.row(run_id))["status"] == status

        await until(fact, f"run {run_id} {status}")


@pytest.fixture
async def floor(conn: Connection, database_url: str) -> Floor:
    floor = Floor(conn, database_url)
    await conn.execute("insert into teams (id, name, slug) values ($1, 'T', 't')", floor.team_id)
    return floor
