"""A team with a project, and schedules whose time has come: nobody waits for the clock, but the due times are moved back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tawny import Run, Tawny, runs, schedules
from tawny.access import Actor
from tawny.db.ids import uuid7
from tawny.db.pool import Connection
from tawny.jobs import Job, parse_cron
from tawny.runs import Finish
from tawny.schedules import Ticked

app = Tawny()
EVERY_MINUTE, EVERY_HOUR = "* * * * *", "0 * * * *"


@app.job("export", unique_by=("month",))
def export(run: Run, month: str = "2026-01") -> None:
    """Never runs here: these tests play the worker."""


@app.job("import")
def import_(run: Run) -> None:
    """Another type."""


@app.system_job("sweep", cron="0 2 * * *")
def sweep(run: Run) -> None:
    """A system job."""


@dataclass
class Desk:
    """What the tests of this room start from."""

    conn: Connection
    team_id: UUID = field(default_factory=uuid7)
    project_id: UUID = field(default_factory=uuid7)
    jobs: Mapping[str, Job] = field(default_factory=lambda: app.jobs)

    def __post_init__(self) -> None:
        self.actor = Actor("user", uuid7(), roles={self.team_id: "owner"})

    async def settle(self) -> Desk:
        await self.conn.execute("insert into teams (id, name, slug) values ($1, 'T', $2)", self.team_id, str(self.team_id))
        await self.add_project(self.project_id)
        return self

    async def add_project(self, project_id: UUID | None = None) -> UUID:
        project_id = project_id or uuid7()
        await self.conn.execute(
            "insert into projects (id, team_id, name, slug, color) values ($1, $2, 'P', $3, '#000000')",
            project_id,
            self.team_id,
            str(project_id),
        )
        return project_id

    async def schedule(self, job_type: str = "import", cron: str = EVERY_HOUR, **more: Any) -> UUID:
        """A schedule that has just been made, and that is not due yet."""
        project_id = more.pop("project_id", self.project_id)
        made = await schedules.create_schedule(self.conn, self.actor, self.jobs, project_id, job_type=job_type, cron=cron, **more)
        return made.id

    async def make_due(self, schedule_id: UUID, ago: timedelta) -> datetime:
        """As if nobody had looked since the due time so long ago, or the first one after that. Returns it."""
        row = await self.conn.fetchrow("select cron, timezone, now() as now from schedules where id = $1", schedule_id)
        due_at = parse_cron(row["cron"], row["timezone"]).next(row["now"] - ago)
        await self.conn.execute("update schedules set next_at = $2, look_at = $2 where id = $1", schedule_id, due_at)
        return due_at

    async def tick(self, **more: Any) -> Ticked:
        async with self.conn.transaction():
            return await schedules.tick(self.conn, self.jobs, **more)

    async def ticks(self, schedule_id: UUID) -> list[tuple[datetime, str]]:
        rows = await self.conn.fetch("select * from schedule_ticks where schedule_id = $1 order by due_at", schedule_id)
        return [(row["due_at"], row["decision"]) for row in rows]

    async def decisions(self, schedule_id: UUID) -> list[str]:
        return [decision for _, decision in await self.ticks(schedule_id)]

    async def row(self, schedule_id: UUID) -> dict[str, Any]:
        return dict(await self.conn.fetchrow("select * from schedules where id = $1", schedule_id))

    async def runs(self) -> list[dict[str, Any]]:
        return [dict(row) for row in await self.conn.fetch("select * from job_runs order by created_at, id")]

    async def finish_all(self) -> None:
        """Play the worker: everything that is pending runs and completes."""
        worker_id = await runs.enlist(self.conn, name="test:1", version="0", lease=60)
        claimed = await runs.claim(self.conn, worker_id, job_types=list(self.jobs), slots=100)
        await runs.finish(self.conn, [Finish(run.id, run.attempt, "completed") for run in claimed])


@pytest.fixture
async def desk(conn: Connection) -> Desk:
    return await Desk(conn).settle()
