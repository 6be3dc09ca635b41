"""Everything that takes part: the database, the stored runs, and the processes that are measured."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import asyncpg

from bench import floor, floor_worker
from bench.client.plan import Plan, Sample, encode
from bench.database import GIVEN, asking, database
from bench.options import Sizes
from bench.process import Child
from bench.seed import STORED_TYPES, Seeded, seed
from bench.statements import queries
from tawny.api.app import POOL_SIZE
from tawny.runs.find import list_statement
from tawny.runs.statements import queries as measured

T = TypeVar("T")

FLOOR_CHANNEL = "bench_floor"
"""Where the floor is woken, so that neither side wakes the other."""

_ROOT = Path(__file__).parents[1]
_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Server:
    """A web server that is up."""

    child: Child
    port: int


class Stage:
    """The database with the stored runs, Tawny's API and the floor's; workers come and go."""

    def __init__(self, url: str, folder: Path, seeded: Seeded) -> None:
        self.url = url
        self.seeded = seeded
        self.folder = folder
        self.api: Server
        self.floor: Server
        settings = {GIVEN: url, "TAWNY_DATA_DIR": str(folder / "state"), "TAWNY_APP": "bench.app:app", "TAWNY_TRIGGER_RATE": "0"}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TAWNY_")}
        self._environ = {**inherited, **settings, "PYTHONPATH": str(_ROOT)}

    def ask(self, verb: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        return asking(self.url, verb)

    def start(self, module: str, *arguments: str, given: object = None) -> Child:
        text = "" if given is None else json.dumps(given)
        return Child(module, arguments, environ=self._environ, folder=self.folder, given=text)

    def client(self, plan: Plan) -> Sample:
        """Let a new client carry out this plan."""
        with self.start("bench.client", given=encode(plan)) as child:
            sample: Sample = json.loads(child.output())
        return sample

    def clear(self) -> None:
        """Delete all runs but the stored ones, so that every round begins with the same tables."""
        self.ask(_clear)

    @contextmanager
    def worker(self, job_types: Sequence[str], *, concurrency: int = 100) -> Iterator[Child]:
        """`tawny work`, enlisted."""
        with self.start("tawny", "work", "--concurrency", str(concurrency), "--types", ",".join(job_types)) as child:
            self._wait_until_enlisted(child)
            yield child

    @contextmanager
    def floor_worker(self, job_type: str, *, connections: int, channel: str | None = None) -> Iterator[Child]:
        """The floor of a worker, enlisted."""
        statements = {"enlist": queries.enlist_floor.sql, "claim": measured.claim.sql, "finish": measured.finish.sql}
        given = floor_worker.Given(url=self.url, job_type=job_type, connections=connections, channel=channel, **statements)
        with self.start("bench.floor_worker", given=asdict(given)) as child:
            self._wait_until_enlisted(child)
            yield child
        self.ask(queries.strike_floor)

    def _wait_until_enlisted(self, child: Child) -> None:
        self.wait_until(lambda conn: queries.is_enlisted(conn, pid=child.pid), child, every=0.01)

    def wait_until(self, fact: Callable[[asyncpg.Connection], Awaitable[bool]], child: Child, *, every: float) -> None:
        """Ask again and again; RuntimeError when it takes too long, or when the process on which it depends has ended."""
        self.ask(lambda conn: _until(conn, fact, child, every))


async def _until(
    conn: asyncpg.Connection, fact: Callable[[asyncpg.Connection], Awaitable[bool]], child: Child, every: float
) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not await fact(conn):
        child.require_alive()
        if time.monotonic() > deadline:
            raise RuntimeError(f"the process {child.pid} took more than {_PATIENCE:g} seconds")
        await asyncio.sleep(every)


async def _clear(conn: asyncpg.Connection) -> None:
    await queries.clear(conn, job_types=list(STORED_TYPES))
    await queries.tidy(conn)


@contextmanager
def staged(sizes: Sizes) -> Iterator[Stage]:
    """Set everything up, and take it all down again."""
    with database() as url, tempfile.TemporaryDirectory(prefix="tawny-bench-") as folder:
        stage = Stage(url, Path(folder), asking(url, lambda conn: seed(conn, sizes)))
        with _api(stage) as stage.api, _floor(stage) as stage.floor:
            yield stage


@contextmanager
def _api(stage: Stage) -> Iterator[Server]:
    """`tawny serve` without a worker."""
    with stage.start("tawny", "serve", "--no-worker", "--port", "0") as child:
        yield Server(child, int(child.line().rpartition(":")[2]))


@contextmanager
def _floor(stage: Stage) -> Iterator[Server]:
    given = floor.Given(
        url=stage.url,
        pool=POOL_SIZE,
        team_id=str(stage.seeded.team_id),
        channel=FLOOR_CHANNEL,
        find=measured.find.sql,
        list=list_statement(by_project=False, by_type=False, status=None),
        filtered=list_statement(by_project=True, by_type=False, status="outcome"),
        trigger=measured.trigger.sql,
        trigger_parameters=measured.trigger.parameters,
        wake=measured.wake.sql,
    )
    with stage.start("bench.floor", given=asdict(given)) as child:
        yield Server(child, int(child.line()))
