"""The floor: a bare ASGI app on uvicorn that answers the same requests with the same bytes, from the same statements and pool.

It knows neither keys nor permissions, checks nothing, wakes nobody unless asked to, and answers nothing but what is measured.
Started by the benchmark, which gives it what it needs as JSON on stdin; it prints its port.
"""

from __future__ import annotations

import json
import socket
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import uvicorn
import uvloop

from tawny.db.ids import uuid7
from tawny.db.pool import Pool, open_pool

_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
_END = datetime(9999, 12, 31, tzinfo=UTC)
_LAST_ID = UUID(int=2**128 - 1)
_LIMIT = 50
_HEADERS = (
    (b"content-type", b"application/json; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
_VIEW = "/v1/jobs/"


@dataclass(frozen=True, slots=True)
class Given:
    """What the floor is told. The statements are the texts of `tawny.runs`, so that the floor imports nothing of it."""

    url: str
    pool: int
    team_id: str
    channel: str
    find: str
    list: str
    filtered: str
    trigger: str
    trigger_parameters: list[str]
    wake: str


class Floor:
    """The ASGI app."""

    def __init__(self, given: Given) -> None:
        self._given = given
        self._team = UUID(given.team_id)
        self._triggered_by = f"manual:api_key:{given.team_id}"
        self._pool: Pool

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await self._live(receive, send)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        status = 200
        if scope["method"] == "POST":
            status, body = 201, await self._trigger(await _body(receive), wake=bool(scope["query_string"]))
        elif scope["path"].startswith(_VIEW):
            body = await self._view(UUID(scope["path"][len(_VIEW) :]))
        else:
            body = await self._list(scope["query_string"])
        headers = [*_HEADERS, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        self._pool = await open_pool(self._given.url, size=self._given.pool, application="bench-floor")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._pool.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _view(self, run_id: UUID) -> bytes:
        async with self._pool.acquire() as conn:
            run_json = await conn.fetchval(self._given.find, run_id, [self._team])
        return f'{{"job_run":{run_json}}}'.encode()

    async def _list(self, query: bytes) -> bytes:
        asked = dict(parse_qsl(query.decode()))
        before = _position(asked["cursor"]) if "cursor" in asked else (_END, _LAST_ID)
        values: list[Any] = [self._team, *before, _BEGINNING, _LIMIT + 1]
        sql = self._given.list
        if "project_id" in asked:
            sql = self._given.filtered
            values += [UUID(asked["project_id"]), asked["status"]]
        async with self._pool.acquire() as conn:
            rows = await conn.fetch(sql, *values)
        return _page(rows)

    async def _trigger(self, asked: dict[str, Any], *, wake: bool) -> bytes:
        project_id = asked["project_id"]
        params = json.dumps({"project_id": project_id})
        values = {
            "id": uuid7(),
            "job_type": asked["job_type"],
            "triggered_by": self._triggered_by,
            "actor_type": "api_key",
            "actor_id": self._given.team_id,
            "params": params,
            "notify": False,
            "project_id": UUID(project_id),
            "team_id": self._team,
        }
        async with self._pool.acquire() as conn:
            row = await conn.fetchrow(self._given.trigger, *map(values.get, self._given.trigger_parameters))
            assert row is not None, "the project's slot is taken"
            if wake:
                await conn.execute(self._given.wake, self._given.channel, ["run"])
        return f'{{"job_run":{row["run"]}}}'.encode()


async def _body(receive: Any) -> Any:
    body = b""
    while True:
        message = await receive()
        body += message["body"]
        if not message["more_body"]:
            return json.loads(body)


def _position(cursor: str) -> tuple[datetime, UUID]:
    created_at, _, run_id = cursor.partition("|")
    return datetime.fromisoformat(created_at), UUID(run_id)


def _page(rows: list[Any]) -> bytes:
    page = rows[:_LIMIT]
    more = len(rows) > _LIMIT
    cursor = f'"{page[-1]["cursor"]}"' if more else "null"
    runs = ",".join([row["run"] for row in page])
    return f'{{"job_runs":[{runs}],"cursor":{cursor},"has_more":{"true" if more else "false"}}}'.encode()


def main() -> None:
    given = Given(**json.load(sys.stdin))
    listening = socket.create_server(("127.0.0.1", 0))
    # The settings of `tawny serve`, without its own bounds on requests.
    config = uvicorn.Config(
        Floor(given),
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
    )
    print(listening.getsockname()[1], flush=True)
    uvloop.run(uvicorn.Server(config).serve(sockets=[listening]))


if __name__ == "__main__":
    main()
