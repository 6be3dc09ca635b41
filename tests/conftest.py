"""Fixtures for every room: one PostgreSQL and one migrated database for the whole test process, emptied between tests."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from _pytest.terminal import TerminalReporter
from hypothesis import settings
from tests.pgbouncer import POOLER, pooled
from tests.postgres import temporary_server

from tawny.db.migrate import migrate
from tawny.db.pool import Connection, Pool, connect, open_pool

# The same examples everywhere, and no verdict by the clock of a busy machine. `scripts/test` asks for many more of them.
settings.register_profile("tawny", derandomize=True, deadline=None, max_examples=int(os.environ.get("TEST_EXAMPLES", "30")))
settings.load_profile("tawny")


def pytest_collection_finish() -> None:
    """Modules and tests stay until the process ends: to look through them for garbage takes a tenth of the time."""
    gc.freeze()


@pytest.fixture
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Note what a test measured. It is printed at the end, also when the test passes and whichever process ran it."""

    def note(line: str) -> None:
        request.node.user_properties.append(("said", line))

    return note


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print what the tests said."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind) if report.when == "call"]
    said = {report.nodeid: [line for name, line in report.user_properties if name == "said"] for report in reports}
    if any(said.values()):
        terminalreporter.section("measured")
    for test, lines in sorted(said.items()):
        for line in lines:
            terminalreporter.write_line(f"{test.rpartition('::')[2]}: {line}")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """A PostgreSQL server: the one of TEST_DATABASE_URL, or an embedded one of this test process."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given
        return
    with temporary_server() as url:
        yield url


@pytest.fixture(scope="session")
def front_url(server_url: str) -> Iterator[str]:
    """Where Tawny reaches that server: there, or with TEST_POOLER=transaction at a PgBouncer before it."""
    if not POOLER:
        yield server_url
        return
    with pooled(server_url) as url:
        yield url


@pytest.fixture(scope="session")
def database_url(server_url: str, front_url: str) -> Iterator[str]:
    """The address of a migrated database that only this test process uses."""
    with fresh_database(server_url, f"tawny_test_{os.getpid()}", front_url) as url:
        yield url


@contextmanager
def fresh_database(server_url: str, name: str, front_url: str | None = None) -> Iterator[str]:
    """Make a migrated database called `name`, and drop it afterwards. Tawny reaches it at `front_url` if that is given."""
    with _empty_database(server_url, name):
        url = _in_database(front_url or server_url, name)
        asyncio.run(_migrate(url))
        yield url


@contextmanager
def _empty_database(server_url: str, name: str) -> Iterator[None]:
    asyncio.run(_execute(server_url, f'create database "{name}"'))
    try:
        yield
    finally:
        asyncio.run(_execute(server_url, f'drop database if exists "{name}" with (force)'))


def _in_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=name))


async def _execute(url: str, statement: str) -> None:
    conn = await asyncpg.connect(url)
    await conn.execute(statement)
    await conn.close()


async def _migrate(url: str) -> None:
    conn = await connect(url, timeout=None)
    await migrate(conn)
    await conn.close()


TABLES = (
    "schedule_ticks",
    "schedules",
    "run_logs",
    "run_events",
    "job_runs",
    "job_places",
    "run_totals",
    "idempotency_keys",
    "workers",
    "api_keys",
    "audit_log",
    "deliveries",
    "delivery_totals",
    "notices",
    "preferences",
    "webhooks",
    "webhook_events",
    "subscriber_entitlements",
    "subscribers",
    "integrations",
    "invitations",
    "rate_limits",
    "sessions",
    "sign_in_codes",
    "sign_in_links",
    "memberships",
    "projects",
    "users",
    "teams",
)
EMPTY = (
    "set session_replication_role = replica;"
    + "".join(f"delete from {table};" for table in TABLES)
    + "reset session_replication_role;"
)
"""Deletes every row of Tawny's, also of tables that only grow."""


class Kept:
    """The connection of all tests of this process: to open one for each would cost more than most tests do."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._conn: Connection | None = None

    async def ready(self) -> Connection:
        """The connection as a new one would be; another one when the last test has closed it or left a transaction open."""
        if self._conn is None or self._conn.is_closed() or self._conn.is_in_transaction():
            await self.close()
            self._conn = await connect(self._url)
        return self._conn

    async def close(self) -> None:
        if self._conn is not None and not self._conn.is_closed():
            await self._conn.close()


@pytest.fixture(scope="session")
async def kept(database_url: str) -> AsyncIterator[Kept]:
    kept = Kept(database_url)
    yield kept
    await kept.close()


@pytest.fixture
async def conn(kept: Kept) -> Connection:
    """A connection to an empty, migrated database. Who changes more than rows by it closes it, and the next test gets another."""
    conn = await kept.ready()
    await conn.execute(EMPTY)
    return conn


@pytest.fixture
async def direct_conn(server_url: str, database_url: str) -> AsyncIterator[Connection]:
    """A connection to the same database that goes through no pooler, whatever the others do."""
    conn = await connect(_in_database(server_url, urlsplit(database_url).path))
    yield conn
    await conn.close()


@pytest.fixture
async def pool(conn: Connection, database_url: str) -> AsyncIterator[Pool]:
    """A pool on the same database, for what needs several connections at once."""
    pool = await open_pool(database_url, size=10)
    yield pool
    await pool.close()


@pytest.fixture
def scratch_url(server_url: str, front_url: str) -> Iterator[str]:
    """The address of an empty database without Tawny's schema."""
    name = f"tawny_scratch_{os.getpid()}"
    with _empty_database(server_url, name):
        yield _in_database(front_url, name)


@pytest.fixture
async def scratch_conn(scratch_url: str) -> AsyncIterator[Connection]:
    conn = await connect(scratch_url, timeout=None)
    yield conn
    await conn.close()
