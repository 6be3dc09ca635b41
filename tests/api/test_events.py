"""Server-sent events over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from api.world import World
from tawny.access import Actor, revoke_key
from tawny.api import events
from waiting import until


class Listener:
    """A client that reads a stream line by line."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()
        self.last_id = ""

    async def next(self) -> tuple[str, dict[str, Any]]:
        """The next message that is no comment, as its kind and its data."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(10):
            async for line in self._lines:
                if line.startswith(":"):
                    continue
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif fields:
                    self.last_id = fields.get("id", self.last_id)
                    return fields["event"], json.loads(fields["data"])
        raise EOFError

    async def until(self, kind: str) -> dict[str, Any]:
        while True:
            heard, data = await self.next()
            if heard == kind:
                return data

    async def ended(self) -> bool:
        try:
            while True:
                await self.next()
        except EOFError:
            return True


@asynccontextmanager
async def listening(world: World, path: str, *, as_: str | None = None, after: str | None = None) -> AsyncIterator[Listener]:
    headers = {"authorization": f"Bearer {as_ or world.key}"} | ({"last-event-id": after} if after else {})
    async with world.http.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        listener = Listener(answer)
        assert (await listener.next())[0] == "open"
        yield listener


def of_team(world: World) -> str:
    return f"/v1/teams/{world.team_id}/jobs/events"


async def test_a_team_is_followed_live(world: World) -> None:
    async with listening(world, of_team(world)) as listener:
        run_id = await world.made()
        heard = await listener.until("triggered")
        assert {"run_id": str(run_id), "seq": 1, "kind": "triggered", "attempt": 0, "data": {}}.items() <= heard.items()
        assert heard["at"].endswith("Z")
        headers = listener.answer.headers
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store", "no")


async def test_a_run_is_followed_to_its_end(world: World) -> None:
    _, claimed = await world.running()
    async with listening(world, f"/v1/jobs/{claimed.id}/events") as listener:
        await world.finish(claimed)
        await listener.until("completed")
        assert await listener.ended()
        last = listener.last_id
    answer = await world.send("GET", f"/v1/jobs/{claimed.id}/events", headers={"last-event-id": last})
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.slow
async def test_who_comes_back_with_the_last_id_misses_nothing(world: World) -> None:
    async with listening(world, of_team(world)) as listener:
        await world.made()
        await listener.until("triggered")
        last = listener.last_id
    missed = await world.made(job_type="import")
    async with listening(world, of_team(world), after=last) as again:
        assert (await again.until("triggered"))["run_id"] == str(missed)
    async with listening(world, f"{of_team(world)}?after={last}") as by_parameter:
        assert (await by_parameter.until("triggered"))["run_id"] == str(missed)


async def test_what_is_no_id_of_an_event_is_refused_by_name(world: World) -> None:
    run_id = await world.made()
    for path in (of_team(world), f"/v1/jobs/{run_id}/events"):
        for last in ("x", "-1", "1-2-3", "9" * 30, "1;drop"):
            answer = await world.send("GET", path, headers={"last-event-id": last})
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter"), last
            assert "Last-Event-ID" in answer.json()["error"]


async def test_unknown_foreign_malformed_and_system_runs_are_the_same_404(world: World) -> None:
    other_team, _ = await world.add_team()
    foreign = await world.made(
        as_=await world.add_key(team_id=other_team), team_id=other_team, project_id=str(await world.add_project(other_team))
    )
    answers = [
        await world.send("GET", f"/v1/jobs/{run_id}/events") for run_id in (uuid4(), foreign, "nope", await world.system_run())
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1


async def test_who_may_not_list_may_not_follow_the_team(world: World) -> None:
    answer = await world.send("GET", of_team(world), as_=await world.token_of("member"))
    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_role")


@pytest.mark.slow
async def test_a_key_that_is_revoked_ends_its_streams(world: World) -> None:
    key = await world.add_key()
    owner = Actor("user", world.owner_id, {world.team_id: "owner"}, user_id=world.owner_id)
    key_id = await world.conn.fetchval("select id from api_keys where last4 = $1", key[-4:])
    async with listening(world, of_team(world), as_=key) as listener:
        await revoke_key(world.conn, owner, world.team_id, key_id)
        assert await listener.ended()


@pytest.mark.slow
async def test_a_listener_who_may_not_list_any_more_hears_no_more(world: World) -> None:
    admin = await world.add_user("admin")
    async with listening(world, of_team(world), as_=await world.token(admin.id)) as listener:
        await world.conn.execute("update memberships set role = 'member' where user_id = $1", admin.id)
        assert await listener.ended()


async def test_silence_is_broken_by_a_comment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT", 0.0)
    monkeypatch.setattr(events, "CHECK", 0.01)
    async with world.http.stream("GET", of_team(world), headers={"authorization": f"Bearer {world.key}"}) as answer:
        async with asyncio.timeout(10):
            async for line in answer.aiter_lines():
                if line.startswith(":"):
                    break


async def test_a_client_that_goes_leaves_nothing_behind(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "CHECK", 0.01)
    feed = world.served.api.state.tawny.feed
    async with listening(world, of_team(world)):
        assert world.team_id in feed._teams

    async def forgotten() -> bool:
        return UUID(str(world.team_id)) not in feed._teams

    await until(forgotten, "a feed without the listener who has gone")
