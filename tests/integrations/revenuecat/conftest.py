"""A project that is connected to a fake RevenueCat, and a worker that syncs it over real HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from tests.waiting import until
from tests.workers.conftest import Floor

from tawny import builtin, integrations, runs
from tawny.access import Actor, create_project
from tawny.builtin import offered
from tawny.config import Settings
from tawny.db.ids import uuid7
from tawny.db.pool import Connection
from tawny.integrations import Keyring
from tawny.integrations.revenuecat import SYNC, RevenueCat
from tawny.integrations.revenuecat.store import Owner
from tawny.integrations.service import Manners
from tawny.testing.revenuecat import FakeRevenueCat, Key, Options

HASTE = Manners(backoff=0.01, busy=0.01, answer=10.0)
"""As patient as ever, but on a clock that runs faster."""

SCALE = 100.0


@dataclass
class Ended:
    """A run that has ended."""

    status: str
    error: str | None
    result: dict[str, Any]
    progress: dict[str, Any]


@dataclass
class Town:
    """One team, its project, and a fake with limits off. `revenuecat` may be changed before the first sync."""

    floor: Floor
    fake: FakeRevenueCat
    owner: Actor
    project_id: UUID
    keyring: Keyring = field(default_factory=lambda: Keyring([b"k" * 32]))
    revenuecat: RevenueCat = field(init=False)

    def __post_init__(self) -> None:
        self.revenuecat = self.process()

    def process(self, **options: Any) -> RevenueCat:
        """RevenueCat as another process reaches it."""
        given = {"rate": 0, "manners": HASTE, "pauses": (0.01, 0.01, 0.01)} | options
        return RevenueCat(keyring=lambda: self.keyring, url=self.fake.url, **given)

    @property
    def rows_of(self) -> Owner:
        return Owner(self.floor.team_id, self.project_id)

    @property
    def conn(self) -> Connection:
        return self.floor.conn

    async def connect(self, key: Key | None = None, project_id: UUID | None = None, **config: str) -> None:
        given = {"api_key": (key or self.fake.key).secret} | config
        project_id = project_id or self.project_id
        await integrations.connect(self.conn, self.owner, self.keyring, project_id, provider="revenuecat", config=given)

    async def change(self, **change: Any) -> None:
        await integrations.update(self.conn, self.owner, self.keyring, self.project_id, "revenuecat", **change)

    async def add_project(self) -> UUID:
        return (await create_project(self.conn, Actor.host(), self.floor.team_id, name="P", slug=uuid7().hex)).id

    async def trigger(self, project_id: UUID | None = None, **params: object) -> UUID:
        job = offered(self.floor.app.jobs, self.revenuecat)[SYNC]
        project_id = project_id or self.project_id
        made = await runs.trigger(self.conn, self.owner, job, team_id=self.floor.team_id, project_id=project_id, params=params)
        await self.floor.wake()
        return made.id

    def working(self, revenuecat: RevenueCat | None = None) -> Any:
        """A worker; the block gets it."""
        return self.floor.working(builtin=builtin.jobs_beside(self.floor.app.jobs, Settings(), revenuecat or self.revenuecat))

    async def sync(self, **params: object) -> Ended:
        """Sync once, from the trigger to the end of the run."""
        async with self.working():
            return await self.ended(await self.trigger(**params))

    async def ended(self, run_id: UUID) -> Ended:
        row = await self.floor.ended(run_id)
        texts = [row["result"], row["progress"]]
        result, progress = (json.loads(text) if text else {} for text in texts)
        return Ended(row["status"], row["error"], result, progress)

    async def requests(self, at_least: int) -> None:
        """Wait until the fake was asked so often."""

        async def fact() -> bool:
            return self.fake.counters.total >= at_least

        await until(fact, f"{at_least} requests")

    async def table(self) -> list[dict[str, Any]]:
        """All that is known, without the times at which it was learned."""
        rows = await self.conn.fetch(
            """
            select
                app_user_id, last_seen_at, status, active, properties, attributes, entitlements, revenue_cents, counted,
                array(select e.entitlement from subscriber_entitlements as e where e.subscriber_id = s.id order by 1) as listed
            from subscribers as s where project_id = $1 order by app_user_id
            """,
            self.project_id,
        )
        return [dict(row) for row in rows]

    async def row(self, app_user_id: str) -> dict[str, Any]:
        """A subscriber; its properties read."""
        row = await self.conn.fetchrow(
            "select * from subscribers where project_id = $1 and app_user_id = $2", self.project_id, app_user_id
        )
        assert row is not None, f"there is no {app_user_id}"
        return {**row, "properties": json.loads(row["properties"]), "attributes": json.loads(row["attributes"])}


Build = Callable[..., Awaitable[Town]]


@pytest.fixture
async def build(conn: Connection, database_url: str) -> AsyncIterator[Build]:
    """Builds a town whose fake was made with these options; connected, unless told otherwise."""
    fakes: list[FakeRevenueCat] = []

    async def build(*, connected: bool = True, **options: Any) -> Town:
        fake = FakeRevenueCat(Options(**{"customers": 30, "clock_scale": SCALE} | options))
        fake.knobs.limits = False
        fakes.append(await fake.__aenter__())
        floor = Floor(conn, database_url)
        await conn.execute("insert into teams (id, name, slug) values ($1, 'T', $2)", floor.team_id, floor.team_id.hex)
        project = await create_project(conn, Actor.host(), floor.team_id, name="P", slug="p")
        town = Town(floor, fake, floor.actor, project.id)
        if connected:
            await town.connect()
        return town

    yield build
    for fake in fakes:
        await fake.__aexit__(None, None, None)


@pytest.fixture
async def town(build: Build) -> Town:
    return await build()
