"""What is on the connection: bytes that two readers could cut differently, clients that go away, several requests at once."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from tests.waiting import until

from api.world import World, read_answer

SMUGGLED = b"{}POST /v1/jobs/x/cancel HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n"


@pytest.mark.parametrize(
    "headers",
    [
        ["content-length: 2", "transfer-encoding: chunked"],
        ["transfer-encoding: chunked", "content-length: 2"],
        ["content-length: 2", "Transfer-Encoding : chunked"],
        ["content-length: 2", "transfer-encoding: identity"],
        ["content-length: 2", "transfer-encoding: xchunked"],
        ["transfer-encoding: chunked, identity"],
        ["transfer-encoding: chunked", "transfer-encoding: identity"],
        ["content-length: 2", "content-length: 3"],
        ["content-length: 2", "content-length: 2"],
        ["content-length: 2, 2"],
        ["content-length: +2"],
        ["content-length: -2"],
        ["content-length: 0x2"],
        ["content-length: 2 2"],
        ["content-length : 2"],
        ["content-length: 99999999999999999999999"],
        ["content-length: 2", "x-folded: one\r\n two"],
        ["content-length: 2", "x-folded: one\r\n\ttwo"],
        ["content-length:\r\n 2"],
        [" content-length: 2"],
        ["content-length: 2", "x-nul: a\0b"],
        ["content-length: 2", "x-cr: a\rb"],
        ["content-length: 2", "x y: z"],
        ["content-length: 2", "no colon"],
    ],
    ids=lambda headers: ascii(", ".join(headers)),
)
async def test_what_two_readers_could_cut_differently_is_refused_and_closed(world: World, headers: list[str]) -> None:
    """One answer, and nothing after it: what may be a second request in the body is never looked at."""
    head = world.head("POST", f"/v1/teams/{world.team_id}/jobs/trigger", "content-type: application/json", *headers)
    answer = await world.raw(head + SMUGGLED)
    assert (answer.status, answer.closed) == (400, True)
    assert json.loads(answer.body) == {"error": "This is not a valid HTTP request.", "code": "invalid_http"}


@pytest.mark.parametrize(
    "body",
    [b"2\n{}\n0\n\n", b"2;a=\n{}\r\n0\r\n\r\n", b"+2\r\n{}\r\n0\r\n\r\n", b"2\r\n{}0\r\n\r\n", b"x\r\n{}\r\n0\r\n\r\n"],
    ids=ascii,
)
async def test_a_malformed_chunk_is_refused_and_closed(world: World, body: bytes) -> None:
    head = world.head("POST", "/v1/jobs/x/cancel", "content-type: application/json", "transfer-encoding: chunked")
    answer = await world.raw(head + body)
    assert (answer.status, answer.closed) == (400, True)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_a_request_without_a_host_is_answered_like_any_other(world: World, version: str) -> None:
    """No answer depends on the name by which a server was called."""
    request = f"GET /v1/teams HTTP/{version}\r\nauthorization: Bearer {world.key}\r\n\r\n"
    answer = await world.raw(request.encode())
    assert (answer.status, json.loads(answer.body)["teams"][0]["id"]) == (200, str(world.team_id))


def trigger(world: World, project_id: Any, job_type: str = "export") -> bytes:
    body = json.dumps({"job_type": job_type, "project_id": str(project_id)}).encode()
    path = f"/v1/teams/{world.team_id}/jobs/trigger"
    return world.head("POST", path, "content-type: application/json", f"content-length: {len(body)}") + body


async def test_requests_that_are_sent_in_one_go_are_answered_in_their_order(world: World) -> None:
    projects = [await world.add_project() for _ in range(5)]
    reader, writer = await asyncio.open_connection("127.0.0.1", world.served.port)
    writer.write(b"".join(trigger(world, project_id) for project_id in [*projects, projects[0]]))
    answers = [await asyncio.wait_for(read_answer(reader), 10) for _ in range(6)]
    writer.close()
    assert [answer.status for answer in answers] == [201] * 5 + [409]
    made = [json.loads(answer.body)["job_run"] for answer in answers[:5]]
    assert [run["project_id"] for run in made] == [str(project_id) for project_id in projects]
    assert json.loads(answers[5].body)["existing_run_id"] == made[0]["id"]


async def test_a_client_that_goes_away_leaves_whole_runs_or_none(world: World) -> None:
    """Each request is cut at another byte; only those that were sent whole may have been granted."""
    projects = [await world.add_project() for _ in range(24)]
    whole = set(projects[::2])

    async def send_and_go(project_id: Any, number: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", world.served.port)
        request = trigger(world, project_id)
        writer.write(request if project_id in whole else request[: len(request) - 1 - number * 7])
        await writer.drain()
        writer.transport.abort()

    await asyncio.gather(*(send_and_go(project_id, number) for number, project_id in enumerate(projects)))

    async def at_rest() -> bool:
        """Whether nobody asks for a run any more."""
        working = "select count(*) from pg_stat_activity where application_name = 'tawny-api' and state <> 'idle'"
        return await world.conn.fetchval(working) == 0 and (await world.trigger()).status_code in (201, 409)

    await until(at_rest, "a server that has nothing left to do")
    runs = await world.conn.fetch(
        "select r.project_id, r.status, (select array_agg(kind) from run_events e where e.run_id = r.id) as events, "
        "(select count(*) from audit_log a where a.resource_id = r.id) as audited from job_runs r where r.project_id <> $1",
        world.project_id,
    )
    assert {run["project_id"] for run in runs} <= whole
    assert all((run["status"], run["events"], run["audited"]) == ("pending", ["triggered"], 1) for run in runs)
    for project_id in projects:  # whoever was cut off asks again: the run is made, or is there
        assert (await world.trigger(project_id=str(project_id))).status_code in (201, 409)
    assert await world.conn.fetchval("select count(*) from job_runs") == len(projects) + 1
