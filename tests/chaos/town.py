"""Everything that one scenario runs on: a database, an API, workers, a proxy before each of them, clients, and the ledger."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path
from random import Random
from time import monotonic, time
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

import httpx
from tests.chaos.clients import Doorbell
from tests.chaos.database import Database, How
from tests.chaos.evidence import Evidence, Health
from tests.chaos.ledger import Ledger
from tests.chaos.network import Conditions, Proxy, to_port, to_socket
from tests.chaos.observer import Observer
from tests.chaos.plan import Scenario
from tests.chaos.postoffice import PostOffice
from tests.chaos.processes import ROOT, Process
from tests.pgbouncer import pooled

from tawny.db import embedded
from tawny.db.ids import uuid7

LEASE = 2.0
_READY = 60.0
_WARM = 3.0
"""Seconds after which a process has loaded what it needs."""


class Town:
    """Use it as an async context manager; leaving it leaves nothing behind."""

    def __init__(self, scenario: Scenario, seed: int, folder: Path, *, source: Path | None = None, pooler: bool = False) -> None:
        """`source`: the folder of another copy of Tawny's package; `pooler`: PgBouncer stands before the database."""
        self.scenario = scenario
        self.folder = folder
        self.ledger = Ledger(folder / "ledger")
        self.chance = Random(f"{seed}-{scenario.name}-network")
        self.database = Database(folder / "database", **scenario.settings)
        self.state = folder / "state"
        self.front: Proxy
        """Between clients and the API."""
        self.back: Proxy
        """Between the API and the database."""
        self.wires: list[Proxy] = []
        """Between each worker and the database."""
        self.workers: list[Process] = []
        self.http: httpx.AsyncClient
        self.one_outage = asyncio.Lock()
        """The database is broken by one fault at a time."""
        self.post_office = PostOffice(_free_port(), self.ledger, folder / "postoffice.log")
        self._source = source
        self._port = _free_port()
        self._mounted = False
        self._pooler = ExitStack()
        self._pooled = pooler
        self.observer = Observer(lambda: self.own_url)
        self._warm: dict[str, Health] = {}
        self._watching: asyncio.Task[None] | None = None

    # Up

    async def __aenter__(self) -> Town:
        try:
            await self._open()
        except BaseException:
            await self._destroy()
            raise
        return self

    async def _open(self) -> None:
        if self.scenario.disk:
            self._mount(self.scenario.disk)
        if self.scenario.notify:
            await self.post_office.open()
        self.front = await self._proxy(Proxy(to_port(self._port), self.chance))
        if not self.scenario.embedded:
            await self.database.start()
            self._socket = self._through_pooler() if self._pooled else self.database.socket
            self.back = await self._proxy(self._to_database())
        self.api = self._process("api", ["serve", "--port", str(self._port), *self._serving()], self._api_settings())
        self.api.start()
        await self._greeted()
        await self.observer.furnish(self.team_id, self.bell.project_ids)
        for number in range(self.scenario.workers):
            await self._hire(number)
        await self.observer.enlisted(self.scenario.workers)
        if self.scenario.schedules:
            await self.bell.schedule(self.scenario.schedules)
        self._watching = asyncio.create_task(self.observer.watch())

    def _mount(self, mebibytes: int) -> None:
        self.state.mkdir(mode=0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=0700", "tmpfs", self.state], check=True)
        self._mounted = True

    def _serving(self) -> list[str]:
        return [] if self.scenario.embedded else ["--no-worker"]

    def _api_settings(self) -> dict[str, str]:
        return {} if self.scenario.embedded else {"TAWNY_DATABASE_URL": self._url(self.back)}

    def _to_database(self) -> Proxy:
        return Proxy(to_socket(self._socket), self.chance)

    def _through_pooler(self) -> str:
        """The socket of a PgBouncer before the database, which tries a restarted one again within a second."""
        url = self._pooler.enter_context(pooled(self.database.url, server_login_retry="1"))
        where = parse_qs(urlsplit(url).query)
        return f"{where['host'][0]}/.s.PGSQL.{where['port'][0]}"

    async def _proxy(self, proxy: Proxy) -> Proxy:
        await proxy.open()
        return proxy

    def _url(self, proxy: Proxy) -> str:
        return f"postgresql://tawny@127.0.0.1:{proxy.port}/tawny?sslmode=disable"

    def _process(self, name: str, arguments: list[str], settings: dict[str, str]) -> Process:
        environ = {key: value for key, value in os.environ.items() if not key.startswith(("TAWNY_", "PG"))}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        environ |= {
            "TAWNY_APP": "tests.chaos.author:app",
            "TAWNY_DATA_DIR": str(self.state),
            "TAWNY_LEASE": f"{LEASE}s",
            "TAWNY_DRAIN": "0.3s",
            "TAWNY_CONCURRENCY": "16",
            "TAWNY_TRIGGER_RATE": "0",
            "TAWNY_NOTIFY": "off" if self._pooled else "on",
            "LEDGER": str(self.ledger.path),
            **({"TAWNY_SMTP_URL": self.post_office.url} if self.scenario.notify else {}),
            "PYTHONPATH": os.pathsep.join(str(path) for path in (self._source, ROOT) if path),
            **settings,
        }
        return Process(name, arguments, environ, self.folder, self.ledger)

    async def _greeted(self) -> None:
        """Wait for the first start's greeting, and take the key from it."""
        said = ""
        async with asyncio.timeout(_READY):
            while "Ctrl-C stops the server." not in said:
                await asyncio.sleep(0.02)
                said = self.api.log.read_text() if self.api.log.exists() else ""
        key = re.search(r"^ +(tawny_\w+)$", said, re.MULTILINE)
        assert key, said
        self.team_id = re.findall(r'" \(([0-9a-f-]{36})\)', said)[0]
        projects = [str(uuid7()) for _ in range(self.scenario.projects)]
        self.bell = Doorbell(f"http://127.0.0.1:{self.front.port}", key[1], self.team_id, projects, self.ledger)

    @property
    def own_url(self) -> str:
        """The harness's own way to the database, past all proxies."""
        return embedded.join(self.state) if self.scenario.embedded else self.database.url

    async def _hire(self, number: int) -> None:
        settings = {}
        if not self.scenario.embedded:
            self.wires.append(await self._proxy(self._to_database()))
            settings = {"TAWNY_DATABASE_URL": self._url(self.wires[-1])}
        if self.scenario.skews:
            settings["CLOCK_SKEW"] = self.scenario.skews[number % len(self.scenario.skews)]
        worker = self._process(f"worker-{number}", ["work"], settings)
        worker.start()
        self.workers.append(worker)

    # While it runs

    def bad_network(self) -> None:
        """Make every connection as bad as the scenario wants it all the time."""
        if self.scenario.loss:
            self.ledger.note("lossy")
        for proxy in self._proxies():
            proxy.set(Conditions(latency=self.scenario.latency, loss=self.scenario.loss))

    async def restart_database(self, how: How, away: float = 0.0) -> None:
        async with self._outage(how):
            await self.database.stop(how)
            await asyncio.sleep(away)
            await self.database.start()

    def _outage(self, how: str) -> Outage:
        return Outage(self.ledger, how)

    async def crash_database(self) -> bool:
        """Kill one session, after which PostgreSQL ends all of them and recovers."""
        async with self._outage("backend"):
            killed = self.database.kill_backend()
            await asyncio.sleep(0.05)
            await self.database.accepting()
        return killed

    def note_health(self) -> None:
        """Remember what the processes use, to be compared with what they use in the end."""
        self._warm = self._health(older_than=_WARM)

    def _health(self, older_than: float = 0.0) -> dict[str, Health]:
        health = {}
        for process in (self.api, *self.workers):
            memory, files = (process.memory(), process.files()) if process.up and process.age > older_than else (None, None)
            if memory and files:
                health[f"{process.name} {process.pid}"] = Health(memory, files)
        return health

    # Down

    async def heal(self) -> None:
        """Undo what is still broken."""
        for process in (self.api, *self.workers):
            process.go_on()
        for proxy in self._proxies():
            proxy.set(Conditions())

    async def evidence(self) -> Evidence:
        """All that is known of what happened, once everything has drained."""
        if self.scenario.schedules:
            await self.observer.stop_schedules()
        drained = await self.observer.drained()
        self._stop_watching()
        return Evidence(
            facts=self.ledger.facts(),
            **await self.observer.records(),
            clock=time() - monotonic(),
            overlaps=sorted(self.observer.overlaps),
            statuses=dict(self.bell.statuses),
            slowest_refusal=self.bell.slowest_refusal,
            logs=self._logs(),
            secrets=[self.bell.key],
            noticed=[seconds for wire in self.wires for seconds in wire.noticed],
            lost_replies=sum(proxy.lost for proxy in self._proxies()),
            connections=self.observer.connections,
            connects=sorted(at for proxy in self._wires_and_back() for at in proxy.connects),
            before=self._warm,
            after=self._health(),
            drained=drained,
        )

    def _wires_and_back(self) -> list[Proxy]:
        return [] if self.scenario.embedded else [self.back, *self.wires]

    def _proxies(self) -> list[Proxy]:
        return [self.front, *self._wires_and_back()]

    def _logs(self) -> dict[str, str]:
        """What the processes said; the greeting, which alone may show the key, is left out."""
        logs = {process.name: process.log.read_text(errors="replace") for process in (self.api, *self.workers)}
        greeting, mark, rest = logs["api"].partition("Ctrl-C stops the server.")
        logs["api"] = rest if mark else greeting
        postgres = self.state / "postgres.log" if self.scenario.embedded else self.database.log
        return {**logs, "postgres": postgres.read_text(errors="replace")}

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.gather(*(process.stay_down() for process in self.workers))
        await self.api.stay_down()
        await self._destroy()

    def _stop_watching(self) -> None:
        if self._watching is not None:
            self._watching.cancel()

    async def _destroy(self) -> None:
        self._stop_watching()
        for process in (*self.workers, *([self.api] if hasattr(self, "api") else [])):
            process.destroy()
        for name in ("front", "back"):
            if hasattr(self, name):
                await getattr(self, name).close()
        for wire in self.wires:
            await wire.close()
        self.post_office.close()
        if self.database.running:
            await self.database.stop("immediate")
        self._pooler.close()
        if self._mounted:
            subprocess.run(["umount", "--lazy", self.state], check=True)


class Outage:
    """Notes since when and until when the database was away."""

    def __init__(self, ledger: Ledger, how: str) -> None:
        self._ledger = ledger
        self._how = how

    async def __aenter__(self) -> None:
        self._ledger.note("down", how=self._how)

    async def __aexit__(self, *_: object) -> None:
        self._ledger.note("up", how=self._how)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
