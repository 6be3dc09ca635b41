"""Every error has one shape, whoever raised it, and says nothing of what is inside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from structlog.testing import capture_logs

from api.world import World
from tawny.access import Actor, Authenticator
from tawny.db.pool import Connection, Pool
from waiting import until

ERROR_HEADERS = {
    "content-type": "application/json; charset=utf-8",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
}


class FailingPool(Pool):
    """A pool whose connections cannot be had, and why."""

    def __init__(self, why: Exception) -> None:
        self._why = why

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        raise self._why
        yield


@contextmanager
def failing_with(world: World, why: Exception) -> Iterator[None]:
    """Serve with a database that fails, but remember who sends the world's requests."""
    state = world.served.api.state
    whole = state.tawny
    state.tawny = replace(whole, pool=FailingPool(why), authenticator=Knowing(world))
    yield
    state.tawny = whole


class Knowing(Authenticator):
    """Knows one caller without asking the database."""

    def __init__(self, world: World) -> None:
        self._actor = Actor("api_key", world.owner_id, {world.team_id: "owner"}, frozenset({"jobs:read", "jobs:write"}))

    async def actor(self, authorization: str | None) -> Actor:
        return self._actor


def require_shape(answer: Any) -> None:
    body = answer.json()
    assert isinstance(body["error"], str)
    assert body["error"].endswith((".", "?"))
    assert body["code"]
    assert ERROR_HEADERS.items() <= dict(answer.headers).items()
    assert "server" not in answer.headers


async def test_every_error_has_a_sentence_and_a_code(world: World) -> None:
    run_id = await world.made()
    answers = [
        await world.list(as_=None),
        await world.trigger(as_=await world.add_key("jobs:read")),
        await world.list(limit="0"),
        await world.view(uuid4()),
        await world.trigger(),
        await world.send("GET", "/nowhere"),
        await world.send("PUT", f"/v1/jobs/{run_id}"),
        await world.cancel(run_id, content=b"{}"),
        await world.cancel(run_id, content=b" " * 1_100_000),
    ]
    assert [answer.status_code for answer in answers] == [401, 403, 400, 404, 409, 404, 405, 415, 413]
    for answer in answers:
        require_shape(answer)


async def test_a_success_has_the_same_headers(world: World) -> None:
    answers = [
        await world.trigger(),
        await world.list(),
        await world.send("GET", "/v1/job-types"),
        await world.send("GET", "/healthz"),
    ]
    for answer in answers:
        assert answer.is_success
        assert ERROR_HEADERS.items() <= dict(answer.headers).items()
        assert int(answer.headers["content-length"]) == len(answer.content)
        assert "server" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/jobs",
        "/v1/jobs/",
        "/v1/jobs/x/",
        "/v1/jobs/x/cancel/",
        "//v1/jobs/x",
        "/v1//jobs/x",
        "/v1/teams/x/jobs/",
        "/docs/x",
        "/V1/jobs/x",
    ],
)
async def test_an_unknown_address_is_a_404_and_never_a_redirect(world: World, path: str) -> None:
    answer = await world.raw(world.head("GET", path))
    assert answer.status == 404
    assert b"unknown_route" in answer.body


@pytest.mark.parametrize(
    "path", ["/v1/jobs/%00", "/v1/jobs/a%00b", "/v1/jobs/%ff", "/v1/jobs/..%2f..%2fetc", "/%00", "/v1/jobs/%2e%2e"]
)
async def test_strange_bytes_in_a_path_are_a_404(world: World, path: str) -> None:
    assert (await world.raw(world.head("GET", path))).status == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/v1/jobs/x", "GET, HEAD"),
        ("DELETE", "/v1/jobs/x", "GET, HEAD"),
        ("GET", "/v1/jobs/x/cancel", "POST"),
        ("HEAD", "/v1/jobs/x/cancel", "POST"),
        ("PUT", "/v1/teams/x/jobs/trigger", "POST"),
        ("PATCH", "/v1/teams/x/jobs", "GET, HEAD"),
        ("OPTIONS", "/v1/jobs/x", "GET, HEAD"),
        ("TRACE", "/v1/jobs/x", "GET, HEAD"),
        ("POST", "/v1/job-types", "GET, HEAD"),
        ("POST", "/healthz", "GET, HEAD"),
        ("POST", "/readyz", "GET, HEAD"),
        ("POST", "/openapi.json", "GET, HEAD"),
    ],
)
async def test_another_method_is_a_405_that_names_the_allowed_ones(world: World, method: str, path: str, allowed: str) -> None:
    answer = await world.http.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


async def test_a_method_cannot_be_overridden(world: World) -> None:
    run_id = await world.made()
    answer = await world.send(
        "GET", f"/v1/jobs/{run_id}", headers={"x-http-method-override": "DELETE", "x-method-override": "DELETE"}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(("length", "status"), [(8 * 1024 + 1, 414), (8 * 1024, 404)])
async def test_an_address_over_eight_kibibytes_is_a_414(world: World, length: int, status: int) -> None:
    path = "/v1/jobs/".ljust(length - 100, "x") + "?" + "q" * 100
    assert (await world.raw(world.head("GET", path[: length + 1]))).status == status


@pytest.mark.parametrize(
    "headers", [["x-long: " + "x" * 33_000], [f"x-{n}: y" for n in range(200)], ["x-a: " + "x" * 20_000, "x-b: " + "x" * 20_000]]
)
async def test_too_many_or_too_long_headers_are_a_431(world: World, headers: list[str]) -> None:
    answer = await world.raw(world.head("GET", "/v1/jobs/x", *headers))
    assert (answer.status, answer.closed) == (431, True)


async def test_ninety_headers_are_fine(world: World) -> None:
    answer = await world.raw(world.head("GET", f"/v1/teams/{world.team_id}/jobs", *[f"x-{n}: y" for n in range(90)]))
    assert answer.status == 200


@pytest.mark.parametrize(
    "request_text",
    [
        "POST /v1/jobs/x/cancel HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}",
        "POST /v1/jobs/x/cancel HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}x",
        "POST /v1/jobs/x/cancel HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "FOO /v1/jobs/x HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET  HTTP/1.1\r\n\r\n",
    ],
)
async def test_malformed_http_is_a_400_and_the_connection_is_closed(world: World, request_text: str) -> None:
    answer = await world.raw(request_text.encode())
    assert (answer.status, answer.headers["connection"]) == (400, "close")


@pytest.mark.parametrize("host", ["host: evil.example", "host: ", "x-forwarded-host: evil.example"])
async def test_no_answer_repeats_the_host_that_was_asked(world: World, host: str) -> None:
    answer = await world.raw(f"GET /v1/jobs/x HTTP/1.1\r\n{host}\r\nauthorization: Bearer {world.key}\r\n\r\n".encode())
    assert answer.status in (400, 404)
    assert b"evil" not in answer.body + str(answer.headers).encode()


async def test_an_error_that_nobody_foresaw_is_logged_and_shows_nothing(world: World) -> None:
    with failing_with(world, RuntimeError("select * from secrets")), capture_logs() as logs:
        answer = await world.list(status="running")
    assert (answer.status_code, answer.json()) == (
        500,
        {"error": "Something went wrong on our side; it was logged.", "code": "internal"},
    )
    require_shape(answer)
    (entry,) = [entry for entry in logs if entry["log_level"] == "error"]
    assert (entry["method"], entry["path"]) == ("GET", f"/v1/teams/{world.team_id}/jobs")
    assert "RuntimeError: select * from secrets" in entry["traceback"]
    assert world.key not in str(entry)


@pytest.mark.parametrize(
    "why",
    [
        ConnectionRefusedError(),
        TimeoutError(),
        asyncpg.InterfaceError("pool is closed"),
        asyncpg.CannotConnectNowError("starting up"),
        asyncpg.TooManyConnectionsError(),
        asyncpg.AdminShutdownError(),
        asyncpg.ConnectionDoesNotExistError(),
        asyncpg.QueryCanceledError(),
        asyncpg.LockNotAvailableError(),
        asyncpg.DeadlockDetectedError(),
        asyncpg.SerializationError(),
        asyncpg.DiskFullError(),
    ],
    ids=lambda why: type(why).__name__,
)
async def test_a_database_that_cannot_do_it_just_now_is_a_503_with_retry_after(world: World, why: Exception) -> None:
    with failing_with(world, why):
        answers = [await world.list(), await world.view(uuid4()), await world.trigger(), await world.cancel(uuid4())]
    for answer in answers:
        assert (answer.status_code, answer.headers["retry-after"], answer.json()["code"]) == (503, "1", "unavailable")
        require_shape(answer)


async def test_a_mistake_of_ours_towards_the_database_is_no_outage(world: World) -> None:
    with pytest.raises(asyncpg.DataError, match="invalid input") as mistake:
        await world.conn.fetchval("select $1::int", "x")
    with failing_with(world, mistake.value), capture_logs():
        assert (await world.list()).status_code == 500


async def test_a_pool_that_lost_all_its_connections_serves_again(world: World) -> None:
    await asyncio.gather(*(world.list() for _ in range(20)))
    await world.conn.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where application_name = 'tawny-api' and datname = current_database()"
    )
    answers = await asyncio.gather(*(world.list() for _ in range(20)))
    assert {answer.status_code for answer in answers} <= {200, 503}

    async def all_served() -> bool:
        answers = await asyncio.gather(*(world.list() for _ in range(20)))
        return {answer.status_code for answer in answers} == {200}

    await until(all_served, "answers on new connections")
