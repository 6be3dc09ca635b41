"""The fake, a database, and the processes that sync from the one into the other."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from bench.database import GIVEN
from bench.process import Child
from bench.revenuecat.loop import Given, User
from bench.revenuecat.options import LIMIT, PAUSE, RATE, SCALE
from bench.revenuecat.side import Side, judged, named
from bench.revenuecat.statements import queries
from bench.statements import queries as of_bench
from tawny import builtin, integrations, runs
from tawny.access import Actor, create_project, create_team
from tawny.config import Settings
from tawny.db.ids import uuid7
from tawny.db.pool import Connection, connect
from tawny.integrations.revenuecat import SYNC
from tawny.testing.revenuecat import FakeRevenueCat, Key, Mix, Options

_ROOT = Path(__file__).parents[2]
_LOOK = 0.05
_SEES_NOBODY = Key("sk_sees_a_project_without_customers", projects=["proj_empty"])

ORDINARY = Mix(anonymous=0.0, heavy=0.0, sandbox=0.0, aliases=0.0, exhibits=False)
"""Nobody whom the published loop gets wrong for another reason than the rate limit."""


def faked(customers: int, latency: float = 0.0, *, mix: Mix = ORDINARY, limits: bool = True) -> FakeRevenueCat:
    """A fake on the scaled clock. `latency` in real milliseconds."""
    fake = FakeRevenueCat(Options(customers=customers, mix=mix, clock_scale=SCALE, customer_limit=LIMIT, project_limit=60))
    fake.knobs.latency = type(fake.knobs.latency)(latency)
    fake.knobs.limits = limits
    return fake


@dataclass(slots=True)
class Ended:
    """A run that has completed: how long it took by the database's clock, and its result."""

    seconds: float
    result: dict[str, Any]


class Worker:
    """`tawny work` that talks to a fake, a project that is connected to it, and an `empty` one whose key sees no customers."""

    def __init__(self, fake: FakeRevenueCat, child: Child, conn: Connection, actor: Actor, project_id: UUID, empty: UUID) -> None:
        self.fake, self.child, self._conn, self._actor = fake, child, conn, actor
        self._project_id, self._empty = project_id, empty
        [self._team_id] = actor.roles

    async def warm_up(self) -> None:
        """Sync nobody: what a process does once would count tenfold on the scaled clock."""
        await self._sync(self._empty)

    async def sync(self) -> Ended:
        """Trigger a sync and wait until it has completed; RuntimeError if it ends otherwise."""
        return await self._sync(self._project_id)

    async def _sync(self, project_id: UUID) -> Ended:
        self.fake.counters.reset()
        job = builtin.jobs_beside({}, Settings())[SYNC]
        made = await runs.trigger(self._conn, self._actor, job, team_id=self._team_id, project_id=project_id, params={})
        while (row := await queries.ended_run(self._conn, run_id=made.id)) is None:
            self.child.require_alive()
            await asyncio.sleep(_LOOK)
        if row["status"] != "completed":
            raise RuntimeError(f"the sync ended {row['status']}: {row['error']}")
        return Ended(row["seconds"], json.loads(row["result"]))

    async def judged(self, ended: Ended) -> Side:
        """Hold the rows that it has written against the truth."""
        rows = await queries.synced_users(self._conn, project_id=self._project_id)
        users = [
            User(row["app_user_id"], list(row["entitlements"]), row["revenue_cents"], json.loads(row["attributes"]))
            for row in rows
        ]
        return judged(self.fake, ended.seconds, users)


class Stage:
    """A database whose projects are connected to fakes, one after the other."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url, self._folder = url, folder
        key = os.urandom(32)
        self._keyring = integrations.Keyring([key])
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TAWNY_")}
        self._environ = inherited | {
            GIVEN: url,
            "TAWNY_DATA_DIR": str(folder / "state"),
            "TAWNY_ENCRYPTION_KEYS": base64.b64encode(key).decode(),
            "PYTHONPATH": str(_ROOT),
        }

    @asynccontextmanager
    async def worker(self, fake: FakeRevenueCat, *, rate: int = RATE) -> AsyncIterator[Worker]:
        """A new worker, which makes so many requests in a real minute (0: as many as it can), and a new project."""
        environ = self._environ | {"TAWNY_REVENUECAT_URL": fake.url, "TAWNY_REVENUECAT_RATE": str(round(rate * SCALE))}
        conn = await connect(self._url)
        try:
            actor = await self._owner(conn)
            projects = [await self._connected(conn, actor, key) for key in (fake.key, fake.add_key(_SEES_NOBODY))]
            with Child("bench.revenuecat.worker", ["work"], environ=environ, folder=self._folder) as child:
                while not await of_bench.is_enlisted(conn, pid=child.pid):
                    child.require_alive()
                    await asyncio.sleep(_LOOK)
                worker = Worker(fake, child, conn, actor, *projects)
                await worker.warm_up()
                yield worker
        finally:
            await conn.close()

    async def _owner(self, conn: Connection) -> Actor:
        """The owner of a new team."""
        team = await create_team(conn, Actor.host(), name="Bench", owner_email=f"{uuid7().hex}@example.com")
        return Actor("user", uuid7(), roles={team.team_id: "owner"})

    async def _connected(self, conn: Connection, actor: Actor, key: Key) -> UUID:
        """A new project of this owner."""
        [team_id] = actor.roles
        project = await create_project(conn, Actor.host(), team_id, name="P", slug=uuid7().hex)
        config = {"api_key": key.secret}
        await integrations.connect(conn, actor, self._keyring, project.id, provider="revenuecat", config=config)
        return project.id

    async def loop(self, fake: FakeRevenueCat) -> Side:
        """Let the published loop sync everybody."""
        fake.counters.reset()
        given = Given(int(fake.origin.rpartition(":")[2]), fake.key.secret, named(fake), PAUSE / 1000 / SCALE)
        with Child("bench.revenuecat.loop", environ=self._environ, folder=self._folder, given=json.dumps(asdict(given))) as child:
            done = json.loads(await asyncio.to_thread(child.output))
        return judged(fake, done["seconds"], [User(**user) for user in done["users"]])
