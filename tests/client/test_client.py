"""What a program asks of the server through either client."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
from reference.client import MADE, made
from tests.waiting import until

from api.world import World
from client.conftest import Either
from client.wire import Tampered, Wire, losing
from tawny import runs
from tawny.client import Client, Event, LogLine
from tawny.errors import Conflict, Forbidden, InvalidRequest, NotFound, RequestError, TawnyError, Unauthenticated, Unreachable
from tawny.jobs import LEVELS
from tawny.runs import Claimed, Flushed
from tawny.runs import LogLine as Line

pytestmark = pytest.mark.walk


def test_the_client_that_blocks_is_made_of_the_other_one() -> None:
    assert MADE.read_text() == made(), "run scripts/client"


# Asking


async def test_a_run_is_triggered_viewed_listed_and_cancelled(either: Either, world: World) -> None:
    project = world.project_id
    run = await either(lambda c: c.jobs.trigger("export", project_id=project, params={"month": "2026-02"}, notify=True))
    assert (run.job_type, run.status, run.notify, run.ended) == ("export", "pending", True, False)
    assert run.params == {"month": "2026-02", "project_id": str(project)}
    assert run.created_at.tzinfo is UTC
    assert await either(lambda c: c.jobs.view(run.id)) == run
    assert await either(lambda c: c.jobs.iter(status="pending")) == [run]
    await either(lambda c: c.jobs.cancel(run.id, include_pending=True))
    again = await either(lambda c: c.jobs.retry(run.id))
    assert again.id != run.id
    assert [each.id for each in await either(lambda c: c.jobs.iter(project_id=project))] == [again.id, run.id]


async def test_who_and_what_there_is(either: Either, world: World) -> None:
    key = await world.add_key("jobs:read", "projects:read")
    who = await either(lambda c: c.whoami(), key=key)
    assert (who.type, who.permissions, who.teams[0].id) == ("api_key", ("jobs:read", "projects:read"), str(world.team_id))
    assert [team.role for team in await either(lambda c: c.teams(), key=key)] == ["owner"]
    assert [project.id for project in await either(lambda c: c.projects(world.team_id), key=key)] == [str(world.project_id)]
    assert {job_type.name for job_type in await either(lambda c: c.job_types(), key=key)} >= {"export", "import", "sweep"}
    user = await either(lambda c: c.whoami(), key=await world.token(world.owner_id))
    assert (user.type, user.permissions, user.teams[0].role) == ("user", None, "owner")


async def test_iter_goes_through_all_pages(either: Either, world: World) -> None:
    made = [str(await world.ended()) for _ in range(5)]
    found = await either(lambda c: c.jobs.iter(page=2, job_type="export", since=datetime(2020, 1, 1, tzinfo=UTC)))
    assert [run.id for run in found] == made[::-1]
    assert await either(lambda c: c.jobs.iter(page=2, until="2020-01-01")) == []


async def test_logs_are_read_to_their_end(either: Either, world: World) -> None:
    _, claimed = await world.running()
    now = datetime.now(UTC)
    lines = [Line(n, LEVELS["info" if n % 2 else "error"], f"line {n}", json.dumps({"number": n}), now) for n in range(1, 451)]
    await runs.flush(world.conn, [Flushed((claimed.id, claimed.attempt), logs=lines, lines=len(lines), bytes=0, dropped=0)])
    found = await either(lambda c: c.jobs.logs(claimed.id))
    assert [line.message for line in found] == [f"line {number}" for number in range(1, 451)]
    assert isinstance(found[0], LogLine)
    assert found[0].fields == {"number": 1}
    assert len(await either(lambda c: c.jobs.logs(claimed.id, level="error", after=100))) == 175


async def test_the_team_is_the_only_one_or_has_to_be_named(either: Either, world: World) -> None:
    token = await world.token(world.owner_id)
    assert await either(lambda c: c.team(), key=token) == str(world.team_id)
    assert await either(lambda c: c.team(), key=token, team_id="mine") == "mine"
    both, (other_id, _) = await world.add_user("admin"), await world.add_team()
    await world.conn.execute("insert into memberships (team_id, user_id, role) values ($1, $2, 'member')", other_id, both.id)
    token = await world.token(both.id)
    with pytest.raises(InvalidRequest) as refused:
        await either(lambda c: c.team(), key=token)
    assert refused.value.code == "team_required"


# Refusals


async def test_what_is_refused_is_raised_as_the_error_it_is(either: Either, world: World) -> None:
    run_id = await world.made()
    project = world.project_id
    cases: list[tuple[Any, type[RequestError], str]] = [
        (lambda c: c.jobs.trigger("export", project_id=project), Conflict, "already_active"),
        (lambda c: c.jobs.trigger("exprot", project_id=project), InvalidRequest, "unknown_job_type"),
        (lambda c: c.jobs.view(uuid4()), NotFound, "not_found"),
        (lambda c: c.jobs.cancel(run_id), InvalidRequest, "not_running"),
        (lambda c: c.projects(), Forbidden, "insufficient_permission"),
    ]
    for verb, kind, code in cases:
        with pytest.raises(kind) as refused:
            await either(verb)
        assert refused.value.code == code
        assert str(refused.value)
    with pytest.raises(Unauthenticated):
        await either(lambda c: c.whoami(), key="tawny_wrong")


async def test_a_conflict_names_the_run_that_is_active(either: Either, world: World) -> None:
    run_id = await world.made()
    with pytest.raises(Conflict) as refused:
        await either(lambda c: c.jobs.trigger("export", project_id=world.project_id))
    assert refused.value.details["existing_run_id"] == str(run_id)


@pytest.mark.parametrize("url", ["tawny.example.com", "ftp://x", "http://", "https://x/?a=b", "https://x/#a"])
def test_what_is_no_address_is_said_at_once(url: str) -> None:
    with pytest.raises(ValueError, match=r"https://tawny\.example\.com"):
        Client(url)


@pytest.mark.parametrize(
    "answer",
    [(200, "<html>"), (418, '{"error": "a teapot"}'), (500, '["no"]')],
    ids=["a page", "unknown status", "no object"],
)
async def test_what_is_no_tawny_server_is_unreachable(either: Either, answer: tuple[int, str]) -> None:
    with pytest.raises(Unreachable):
        await either(lambda c: c.teams(), transport=Tampered(lambda _: httpx.Response(answer[0], text=answer[1])))


async def test_a_server_that_is_not_there_is_unreachable(either: Either) -> None:
    with pytest.raises(Unreachable, match="cannot be reached"):
        await either(lambda c: c.teams(), url="http://127.0.0.1:1", patience=0.1)


# Lost replies


async def test_a_trigger_with_lost_replies_makes_one_run(either: Either, world: World) -> None:
    run = await either(lambda c: c.jobs.trigger("export", project_id=world.project_id), transport=losing(2))
    assert [each.id for each in await either(lambda c: c.jobs.iter())] == [run.id]


async def test_a_retry_with_a_lost_reply_makes_one_run(either: Either, world: World) -> None:
    ended = await world.ended()
    run = await either(lambda c: c.jobs.retry(ended), transport=losing(1))
    assert [each.id for each in await either(lambda c: c.jobs.iter())] == [run.id, str(ended)]


async def test_what_may_not_be_repeated_is_not(either: Either, world: World) -> None:
    key = await world.add_key("projects:read", "projects:write")
    body = {"team_id": str(world.team_id), "name": "P", "slug": "once"}
    with pytest.raises(Unreachable):
        await either(lambda c: c.request("POST", "/v1/projects", body=body), key=key, transport=losing(1))
    assert "once" in [project.slug for project in await either(lambda c: c.projects(), key=key)]


async def test_a_server_that_asks_to_come_back_is_asked_again(either: Either) -> None:
    answers = iter([httpx.Response(503, json={}), httpx.Response(429, json={}), None])
    teams = await either(lambda c: c.teams(), transport=Tampered(lambda _: next(answers)))
    assert len(teams) == 1


async def test_one_that_asks_for_longer_than_there_is_patience_is_not(either: Either) -> None:
    busy = httpx.Response(429, json={"error": "Later.", "code": "too_many_requests"}, headers={"retry-after": "3600"})
    with pytest.raises(RequestError, match=r"Later\."):
        await either(lambda c: c.teams(), transport=Tampered(lambda _: busy))


# Events


def kinds(events: list[Event]) -> list[str]:
    return [event.kind for event in events if event.kind != "progress"]


async def progress(world: World, claimed: Claimed, processed: int) -> None:
    said = json.dumps({"processed": processed, "total": 10})
    await runs.flush(world.conn, [Flushed((claimed.id, claimed.attempt), progress=said)])


async def test_the_events_of_a_run_come_until_it_has_ended(either: Either, world: World) -> None:
    _, claimed = await world.running()
    following = asyncio.create_task(either(lambda c: c.jobs.events(claimed.id, after=0)))
    await progress(world, claimed, 3)
    await world.finish(claimed)
    events = await following
    assert kinds(events) == ["triggered", "started", "completed"]
    assert [event.seq for event in events if event.seq] == [1, 2, 3]
    assert {event.run_id for event in events} == {str(claimed.id)}


@pytest.mark.parametrize("follow", ["events", "follow"])
async def test_a_cut_connection_loses_and_doubles_no_event(either: Either, world: World, wire: Wire, follow: str) -> None:
    _, claimed = await world.running()
    following = asyncio.create_task(either(lambda c: getattr(c.jobs, follow)(claimed.id, after=0), url=wire.url))
    await _listening(wire, 1)
    wire.cut()
    await world.cancel(claimed.id)
    await _listening(wire, 2)
    wire.cut()
    await world.finish(claimed, "completed")
    assert kinds(await following) == ["triggered", "started", "cancel_requested", "cancelled"]


async def _listening(wire: Wire, times: int) -> None:
    async def opened() -> bool:
        return wire.opened >= times

    await until(opened, f"connection {times}")


async def test_a_stream_that_never_comes_is_unreachable_after_a_while(either: Either, wire: Wire) -> None:
    wire.down = True
    with pytest.raises(Unreachable):
        await either(lambda c: c.jobs.events(uuid4()), url=wire.url, patience=0.2)


async def test_the_events_of_a_run_that_is_not_mine_are_refused(either: Either, world: World) -> None:
    for verb in (lambda c: c.jobs.events(uuid4()), lambda c: c.jobs.follow(uuid4()), lambda c: c.jobs.wait(uuid4())):
        with pytest.raises(NotFound):
            await either(verb)


async def test_the_events_of_a_team_come(either: Either, world: World) -> None:
    run_id = await world.made()
    if either.kind == "sync":
        client = Client(world.served.url, world.key)
        stream = client.jobs.team_events(after="0-00000000-0000-0000-0000-000000000000-0")
        first = await asyncio.to_thread(next, stream)
        await asyncio.to_thread(client.close)
    else:
        first = await either(_first_of_team)
    assert (first.kind, first.run_id) == ("triggered", str(run_id))


async def _first_of_team(client: Any) -> Event:
    async for event in client.jobs.team_events(after="0-00000000-0000-0000-0000-000000000000-0"):
        return event
    raise AssertionError


# Waiting


@pytest.mark.parametrize("status", ["completed", "failed"])
async def test_waiting_ends_with_the_run(either: Either, world: World, status: str) -> None:
    _, claimed = await world.running()
    waiting = asyncio.create_task(either(lambda c: c.jobs.wait(claimed.id, timeout=60)))
    await world.finish(claimed, status, error="No." if status == "failed" else None)
    assert (await waiting).status == status
    assert (await either(lambda c: c.jobs.wait(claimed.id))).status == status


async def test_waiting_listens_and_does_not_ask(either: Either, world: World) -> None:
    _, claimed = await world.running()
    asked: list[str] = []

    def noting(request: httpx.Request) -> None:
        asked.append(request.url.path.removeprefix(f"/v1/jobs/{claimed.id}"))

    waiting = asyncio.create_task(either(lambda c: c.jobs.wait(claimed.id), transport=Tampered(noting)))

    async def listens() -> bool:
        return "/events" in asked

    await until(listens, "the stream")
    await world.finish(claimed)
    assert (await waiting).status == "completed"
    assert asked == ["", "/events", ""]


REFUSALS = {
    "gateway": lambda: httpx.Response(502, text="Bad gateway"),
    "unknown": lambda: httpx.Response(404, json={"error": "There is nothing.", "code": "unknown_route"}),
    "silent": lambda: httpx.Response(200, text=""),
}


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_where_no_stream_gets_through_the_run_is_looked_at(
    either: Either, world: World, refusal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("aio", "sync"):
        monkeypatch.setattr(f"tawny.client.{module}._TRIES", 0.1)

    def rule(request: httpx.Request) -> httpx.Response | None:
        return REFUSALS[refusal]() if request.url.path.endswith("/events") else None

    _, claimed = await world.running()
    await progress(world, claimed, 3)
    following = asyncio.create_task(either(lambda c: c.jobs.follow(claimed.id, after=0, poll=0.02), transport=Tampered(rule)))
    await asyncio.sleep(0)
    await world.cancel(claimed.id)
    await world.finish(claimed)
    assert kinds(await following) == ["triggered", "started", "cancel_requested", "cancelled"]


async def test_waiting_for_longer_than_was_said_is_a_timeout(either: Either, world: World) -> None:
    run_id = await world.made()
    with pytest.raises(TimeoutError, match=r"still pending after 0\.2 seconds"):
        await either(lambda c: c.jobs.wait(run_id, timeout=0.2, poll=0.05))
    assert (await either(lambda c: c.jobs.view(run_id))).status == "pending"


async def test_a_run_that_ended_behind_what_is_known_is_not_waited_for(either: Either, world: World) -> None:
    run_id = await world.ended()
    assert kinds(await either(lambda c: c.jobs.follow(run_id))) == ["completed"]
    assert await either(lambda c: c.jobs.follow(run_id, after=3)) == []


def test_unreachable_is_one_of_tawnys_errors() -> None:
    assert issubclass(Unreachable, TawnyError)
