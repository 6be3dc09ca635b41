"""A team whose people trigger runs, and workers that are only rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from tests.runs.conftest import app

from tawny import access, runs
from tawny.access import Actor, Role
from tawny.db.pool import Connection, Pool
from tawny.notifications.statements import queries
from tawny.runs import Finish

HOST = Actor.host()
JOBS_KEY = ("jobs:read", "jobs:write")


@dataclass
class Street:
    """Olive owns the team and a project; runs are triggered and ended by hand."""

    conn: Connection
    pool: Pool
    team_id: UUID
    olive: Actor
    project_id: UUID
    projects: int = 0
    workers: list[UUID] = field(default_factory=list)

    async def member(self, email: str, role: Role = "admin") -> Actor:
        user_id = await access.add_member(self.conn, HOST, self.team_id, email=email, role=role)
        return Actor("user", user_id, {self.team_id: role}, user_id=user_id)

    async def key(self, maker: Actor) -> Actor:
        key, _ = await access.create_key(self.conn, maker, self.team_id, name="ci", permissions=JOBS_KEY)
        return Actor("api_key", key.id, {self.team_id: "owner"}, frozenset(JOBS_KEY), user_id=maker.user_id)

    async def project(self) -> UUID:
        self.projects += 1
        name = f"p{self.projects}"
        return (await access.create_project(self.conn, self.olive, self.team_id, name=name, slug=name)).id

    async def trigger(self, actor: Actor | None = None, *, notify: bool = True, **more: Any) -> UUID:
        where = {"team_id": self.team_id, "project_id": await self.project()}
        made = await runs.trigger(self.conn, actor or self.olive, app.jobs["export"], **where, notify=notify, **more)
        return made.id

    async def trigger_system(self) -> UUID:
        return (await runs.trigger_system(self.conn, HOST, app.jobs["sweep"])).id

    async def end(self, run_id: UUID, status: str = "completed", **more: Any) -> None:
        """Claim it, and end it so."""
        if not self.workers:
            self.workers.append(await runs.enlist(self.conn, name="test:1", version="0", lease=600))
        claimed = await runs.claim(self.conn, self.workers[0], job_types=list(app.jobs), slots=100)
        attempt = next(run.attempt for run in claimed if run.id == run_id)
        if status == "cancelled":
            await runs.cancel(self.conn, self.olive, run_id)
        await runs.finish(self.conn, [Finish(run_id, attempt, status, **more)])  # type: ignore[arg-type]

    async def ended(self, status: str = "completed", actor: Actor | None = None, **more: Any) -> UUID:
        run_id = await self.trigger(actor)
        await self.end(run_id, status, **more)
        return run_id

    async def notices(self) -> set[UUID]:
        return {row["run_id"] for row in await self.conn.fetch("select run_id from notices")}

    async def address(self, alert_email: str | None = None) -> int:
        taken: int = await queries.address(self.conn, at_most=100, alert_email=alert_email)
        return taken

    async def deliveries(self) -> list[dict[str, Any]]:
        return [dict(row) for row in await self.conn.fetch("select * from deliveries order by created_at, id")]


@pytest.fixture
async def street(conn: Connection, pool: Pool) -> Street:
    made = await access.create_team(conn, HOST, name="Acme", owner_email="olive@example.com")
    olive = Actor("user", made.user_id, {made.team_id: "owner"}, user_id=made.user_id)
    project = await access.create_project(conn, olive, made.team_id, name="Web", slug="web")
    return Street(conn, pool, made.team_id, olive, project.id)
