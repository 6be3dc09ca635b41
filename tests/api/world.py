"""What the tests of the API start from: a served app, a team with a project, and ways to ask and to play the worker."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import uvicorn
from fastapi import FastAPI

from tawny import Run, Tawny, dashboard, mcp, runs
from tawny.access import Actor, Role, add_member, create_key, create_project, create_team, open_session
from tawny.access.codes import make_code
from tawny.api.app import create_app
from tawny.cli.protocol import HttpProtocol
from tawny.config import Settings
from tawny.db.ids import uuid7
from tawny.db.pool import Connection
from tawny.runs import Claimed, Finish

SECRET = b"the secret of a test server, 32 bytes or more"
JOBS_KEY = ("jobs:read", "jobs:write")

app = Tawny()


@app.job("export", label="Export", retries=2, timeout="1m")
def export(run: Run, month: str = "2026-01", count: int = 1, dry_run: bool = False) -> None:
    """Exports a month."""


@app.job("import")
def import_(run: Run, **params: object) -> None:
    """Takes anything."""


@app.system_job("sweep", cron="0 2 * * *")
def sweep(run: Run) -> None:
    """Nothing a team can start."""


@dataclass
class Served:
    """A server in a thread of this process."""

    api: FastAPI
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serve(url: str, folder: Path, **settings: Any) -> Iterator[Served]:
    """Serve the test app on a free port, as `tawny serve` does, with its state in `folder`."""
    api = create_app(app, settings=Settings(**{"lease": 1.0, "data_dir": folder} | settings), url=url, secret=SECRET)
    dashboard.mount(mcp.mount(api))
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        api,
        http=HttpProtocol,
        loop="uvloop",
        ws="none",
        server_header=False,
        proxy_headers=False,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    up = threading.Event()
    server.startup = _noting(server.startup, up)  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        assert up.wait(10), "the server did not start"
        yield Served(api, listening.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()
        assert not thread.is_alive(), "the server did not stop"


def _noting(startup: Any, up: threading.Event) -> Any:
    async def noting(*args: Any, **more: Any) -> None:
        await startup(*args, **more)
        up.set()

    return noting


@dataclass
class Raw:
    """An answer, read from the socket without any library's help."""

    status: int
    headers: dict[str, str]
    body: bytes
    closed: bool


@dataclass
class World:
    """A team with an owner, a project and a key that was made on the host."""

    served: Served
    conn: Connection
    http: httpx.AsyncClient
    team_id: UUID = field(init=False)
    owner_id: UUID = field(init=False)
    project_id: UUID = field(init=False)
    key: str = field(init=False)

    async def settle(self) -> World:
        self.team_id, self.owner_id = await self.add_team()
        self.project_id = await self.add_project()
        self.key = await self.add_key()
        return self

    # Who

    @property
    def owner(self) -> Actor:
        return Actor("user", self.owner_id, {self.team_id: "owner"}, user_id=self.owner_id)

    async def address_of(self, user_id: UUID) -> str:
        """With what a user signs in."""
        found: str = await self.conn.fetchval("select email from users where id = $1", user_id)
        return found

    async def add_team(self) -> tuple[UUID, UUID]:
        made = await create_team(self.conn, Actor.host(), name="Team", owner_email=f"{uuid7()}@example.com")
        return made.team_id, made.user_id

    async def add_project(self, team_id: UUID | None = None) -> UUID:
        project = await create_project(self.conn, Actor.host(), team_id or self.team_id, name="P", slug=uuid7().hex)
        return project.id

    async def add_key(self, *permissions: str, team_id: UUID | None = None, maker: Actor | None = None) -> str:
        asked = permissions or JOBS_KEY
        _, text = await create_key(self.conn, maker or Actor.host(), team_id or self.team_id, name="key", permissions=asked)
        return text

    async def add_user(self, role: Role, team_id: UUID | None = None) -> Actor:
        team_id = team_id or self.team_id
        user_id = await add_member(self.conn, Actor.host(), team_id, email=f"{uuid7()}@example.com", role=role)
        return Actor("user", user_id, {team_id: role}, user_id=user_id)

    async def code_for(self, email: str) -> str:
        """A code as it would be mailed to this address."""
        return await make_code(self.conn, SECRET, email)

    async def audited(self) -> list[str]:
        """What the audit log says that users and keys did in the world's team, in the order of the alphabet: `create project`."""
        rows = await self.conn.fetch(
            "select action || ' ' || resource_type from audit_log where team_id = $1 and actor_type <> 'system'", self.team_id
        )
        return sorted(row[0] for row in rows)

    async def token(self, user_id: UUID) -> str:
        _, token = await open_session(self.conn, SECRET, user_id)
        return token

    async def token_of(self, role: Role, team_id: UUID | None = None) -> str:
        return await self.token((await self.add_user(role, team_id)).id)

    # Asking

    async def send(self, method: str, path: str, *, as_: str | None = "", **more: Any) -> httpx.Response:
        """Send a request as the world's key, as another credential, or (None) without any."""
        headers = dict(more.pop("headers", {}))
        credential = self.key if as_ == "" else as_
        if credential is not None:
            headers["authorization"] = f"Bearer {credential}"
        return await self.http.request(method, path, headers=headers, **more)

    async def trigger(
        self, *, as_: str | None = "", team_id: UUID | str | None = None, key: str | None = None, **body: Any
    ) -> httpx.Response:
        """POST a trigger, with an idempotency key if one is given. An argument of `...` leaves the field out."""
        sent = {"job_type": "export", "project_id": str(self.project_id)} | body
        sent = {name: value for name, value in sent.items() if value is not ...}
        headers = {} if key is None else {"idempotency-key": key}
        return await self.send("POST", f"/v1/teams/{team_id or self.team_id}/jobs/trigger", as_=as_, json=sent, headers=headers)

    async def list(self, *, as_: str | None = "", team_id: UUID | str | None = None, **params: Any) -> httpx.Response:
        return await self.send("GET", f"/v1/teams/{team_id or self.team_id}/jobs", as_=as_, params=params)

    async def view(self, run_id: UUID | str, *, as_: str | None = "") -> httpx.Response:
        return await self.send("GET", f"/v1/jobs/{run_id}", as_=as_)

    async def timeline(self, run_id: UUID | str, *, as_: str | None = "") -> httpx.Response:
        return await self.send("GET", f"/v1/jobs/{run_id}/timeline", as_=as_)

    async def logs(self, run_id: UUID | str, *, as_: str | None = "", **params: Any) -> httpx.Response:
        return await self.send("GET", f"/v1/jobs/{run_id}/logs", as_=as_, params=params)

    async def stats(self, *, as_: str | None = "", team_id: UUID | str | None = None, **params: Any) -> httpx.Response:
        return await self.send("GET", f"/v1/teams/{team_id or self.team_id}/jobs/stats", as_=as_, params=params)

    async def cancel(self, run_id: UUID | str, *, as_: str | None = "", **more: Any) -> httpx.Response:
        return await self.send("POST", f"/v1/jobs/{run_id}/cancel", as_=as_, **more)

    async def retry(self, run_id: UUID | str, *, as_: str | None = "", key: str | None = None, **more: Any) -> httpx.Response:
        """POST a retry, with an idempotency key if one is given."""
        headers = more.pop("headers", {}) | ({} if key is None else {"idempotency-key": key})
        return await self.send("POST", f"/v1/jobs/{run_id}/retry", as_=as_, headers=headers, **more)

    async def bulk(self, *, as_: str | None = "", team_id: UUID | str | None = None, **body: Any) -> httpx.Response:
        return await self.send("POST", f"/v1/teams/{team_id or self.team_id}/jobs/bulk", as_=as_, json={"action": "retry"} | body)

    async def raw(self, request: bytes) -> Raw:
        """Send exactly these bytes, and read one answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.served.port)
        try:
            writer.write(request)
            return await asyncio.wait_for(read_answer(reader), 10)
        finally:
            writer.close()

    def head(self, method: str, path: str, *headers: str) -> bytes:
        """The first lines of a request as the world's key."""
        lines = [f"{method} {path} HTTP/1.1", "host: x", f"authorization: Bearer {self.key}", *headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    async def post_bytes(self, body: bytes, *headers: str, path: str | None = None) -> Raw:
        """POST these bytes as JSON, to the trigger unless another path is given."""
        path = path or f"/v1/teams/{self.team_id}/jobs/trigger"
        said = headers or ("content-type: application/json",)
        return await self.raw(self.head("POST", path, *said, f"content-length: {len(body)}") + body)

    # Playing the worker

    async def made(self, **body: Any) -> UUID:
        """A pending run."""
        answer = await self.trigger(**body)
        assert answer.status_code == 201, answer.text
        return UUID(answer.json()["job_run"]["id"])

    async def running(self, **body: Any) -> tuple[UUID, Claimed]:
        """A run in the hands of a new worker."""
        run_id = await self.made(**body)
        worker_id = await runs.enlist(self.conn, name="test:1", version="0", lease=60)
        claimed = await runs.claim(self.conn, worker_id, job_types=["export", "import"], slots=100)
        return worker_id, next(c for c in claimed if c.id == run_id)

    async def ended(self, status: Any = "completed", **body: Any) -> UUID:
        """A run that has ended."""
        _, claimed = await self.running(**body)
        await self.finish(claimed, status)
        return claimed.id

    async def finish(self, claimed: Claimed, status: Any = "completed", **more: Any) -> None:
        assert await runs.finish(self.conn, [Finish(claimed.id, claimed.attempt, status, **more)])

    async def claim(self) -> Claimed:
        """The one run that is due, in the hands of a new worker."""
        worker_id = await runs.enlist(self.conn, name="test:2", version="0", lease=60)
        (claimed,) = await runs.claim(self.conn, worker_id, job_types=["export", "import"], slots=100)
        return claimed

    async def reap(self) -> None:
        """Let every worker die and take its runs back."""
        async with self.conn.transaction():
            await self.conn.execute("update workers set leased_until = now() - interval '1 second'")
            await runs.reap(self.conn, lease=0)

    async def system_run(self) -> UUID:
        made = await runs.trigger_system(self.conn, Actor.host(), app.jobs["sweep"])
        return made.id


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """With what somebody was told no."""
    return answer.status_code, answer.json()["code"]


def is_time(text: str) -> bool:
    """Whether this is a time as clients see it: UTC, in milliseconds."""
    return re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text) is not None


async def read_answer(reader: asyncio.StreamReader) -> Raw:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status_line, *lines = head.strip().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    closed = headers.get("connection") == "close" and await reader.read() == b""
    return Raw(int(status_line.split()[1]), headers, body, closed)
