"""A team with runs, a feed that looks often, and listeners that write down what they hear."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from tawny import Run, Tawny, live, runs
from tawny.access import Actor, create_project, create_team
from tawny.db.ids import uuid7
from tawny.db.pool import Connection, Pool
from tawny.live import Feed, Message, Place
from tawny.runs import Claimed, Finish

app = Tawny()


@app.job("export")
def export(run: Run) -> None:
    """Never runs here: these tests play the worker."""


@dataclass
class Heard:
    """What one listener was sent."""

    kinds: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    facts: list[dict[str, Any]] = field(default_factory=list)
    progress: list[dict[str, Any]] = field(default_factory=list)
    task: asyncio.Task[None] | None = None

    def note(self, message: Message) -> None:
        fields = dict(line.split(": ", 1) for line in message.wire.decode().strip().split("\n"))
        kind, data = fields["event"], json.loads(fields["data"])
        self.kinds.append(kind)
        if "id" in fields:
            self.ids.append(fields["id"])
        if kind == "progress":
            self.progress.append(data)
        elif kind != "open":
            self.facts.append(data)

    @property
    def seen(self) -> list[tuple[str, int]]:
        """Which events were heard, as run and number."""
        return [(fact["run_id"], fact["seq"]) for fact in self.facts]

    async def until(self, *kinds: str) -> None:
        """Wait until these were heard, in this order, among others."""
        async with asyncio.timeout(10):
            while not _in_order(kinds, self.kinds):
                await asyncio.sleep(0.005)

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            with suppress(asyncio.CancelledError):
                await self.task


def _in_order(wanted: tuple[str, ...], heard: list[str]) -> bool:
    rest = iter(heard)
    return all(kind in rest for kind in wanted)


@dataclass
class Town:
    """A team, its owner, and what happens in it."""

    conn: Connection
    pool: Pool
    feed: Feed
    team_id: UUID
    owner: Actor
    listeners: list[Heard] = field(default_factory=list)

    async def trigger(self, conn: Connection | None = None) -> UUID:
        project = await create_project(self.conn, Actor.host(), self.team_id, name="P", slug=uuid7().hex)
        job = app.jobs["export"]
        made = await runs.trigger(conn or self.conn, self.owner, job, team_id=self.team_id, project_id=project.id)
        return made.id

    async def claim(self) -> list[Claimed]:
        worker_id = await runs.enlist(self.conn, name="test:1", version="0", lease=60)
        return await runs.claim(self.conn, worker_id, job_types=["export"], slots=100)

    async def finish(self, claimed: Claimed) -> None:
        assert await runs.finish(self.conn, [Finish(claimed.id, claimed.attempt, "completed")])

    async def listen(self, after: str | None = None) -> Heard:
        """Somebody who listens to the team from here on, or from behind an event."""
        place = None if after is None else live.parse_place(after)
        assert after is None or place is not None
        return await self._hearing(live.listen_to_team(self.feed, self.pool, self.owner, self.team_id, place))

    async def listen_to(self, run_id: UUID, after: int | None = None) -> Heard:
        """Somebody who listens to one run."""
        return await self._hearing(live.listen_to_run(self.feed, self.pool, self.owner, run_id, after))

    async def _hearing(self, listening: Any) -> Heard:
        heard = Heard()

        async def hear() -> None:
            async with listening as messages:
                async for message in messages:
                    heard.note(message)

        heard.task = asyncio.create_task(hear())
        self.listeners.append(heard)
        await heard.until("open")
        return heard

    async def all_events(self) -> list[tuple[str, int]]:
        """What the database has of the team's events."""
        async with self.pool.acquire() as conn:
            rows = await conn.fetch("select run_id, seq from run_events where team_id = $1", self.team_id)
        return sorted((str(row["run_id"]), row["seq"]) for row in rows)


@pytest.fixture
async def town(conn: Connection, pool: Pool) -> AsyncIterator[Town]:
    made = await create_team(conn, Actor.host(), name="Town", owner_email="olive@example.com")
    owner = Actor("user", made.user_id, {made.team_id: "owner"}, user_id=made.user_id)
    feed = Feed(pool, pause=0.005)
    reading = asyncio.create_task(feed.run())
    town = Town(conn, pool, feed, made.team_id, owner)
    yield town
    for heard in town.listeners:
        await heard.stop()
    reading.cancel()
    with suppress(asyncio.CancelledError):
        await reading


def place_of(text: str) -> Place:
    place = live.parse_place(text)
    assert place is not None
    return place
