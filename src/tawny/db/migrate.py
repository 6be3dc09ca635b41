"""Numbered, forward-only migrations."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from time import monotonic

from tawny.db.pool import UNREACHABLE, Connection, connect, keeps_settings
from tawny.errors import StartError

OLDEST_POSTGRESQL = 15
_LOCK = 0x7461776E79  # any constant will do: 'tawny'
_NOT_YET: tuple[type[Exception], ...] = (*UNREACHABLE, StartError)
_MIN_CODE = re.compile(r"^-- min_code: (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of `db/migrations`, named `0001_what_it_does.sql`.

    A line `-- min_code: 7` in it says that code which knows no migration 7 must not run on the schema it makes.
    """

    number: int
    name: str
    sql: str
    min_code: int


@cache
def known() -> list[Migration]:
    """Every migration that this code knows, in order."""
    folder = files("tawny.db").joinpath("migrations")
    return [
        _read(file.name, file.read_text())
        for file in sorted(folder.iterdir(), key=lambda f: f.name)
        if file.name.endswith(".sql")
    ]


def _read(name: str, sql: str) -> Migration:
    minimum = _MIN_CODE.search(sql)
    return Migration(int(name[:4]), name.removesuffix(".sql"), sql, int(minimum[1]) if minimum else 0)


async def migrate(conn: Connection, migrations: list[Migration] | None = None) -> list[str]:
    """Apply what is missing, and return the names of what was applied.

    Safe to run from many processes at once: a transaction-level lock lets one migrate while the others wait and then find
    nothing to do.
    """
    await _require_server(conn)
    applied = []
    for migration in migrations or known():
        async with conn.transaction():
            await conn.execute("select pg_advisory_xact_lock($1)", _LOCK)
            if migration.number not in await _applied(conn):
                await _apply(conn, migration)
                applied.append(migration.name)
    await _require_code(conn)
    return applied


async def _apply(conn: Connection, migration: Migration) -> None:
    await conn.execute(migration.sql)
    await conn.execute(
        "insert into schema_migrations (number, name, min_code) values ($1, $2, $3)",
        migration.number,
        migration.name,
        migration.min_code,
    )


async def _applied(conn: Connection) -> dict[int, int]:
    """Number and min_code of every applied migration. Makes the table on an empty database."""
    await conn.execute(
        """create table if not exists schema_migrations (
            number integer primary key,
            name text not null,
            min_code integer not null,
            applied_at timestamptz not null default now()
        )"""
    )
    return {row["number"]: row["min_code"] for row in await conn.fetch("select number, min_code from schema_migrations")}


async def require_schema(conn: Connection) -> None:
    """Raise StartError unless this code can run on the schema of this database."""
    await _require_server(conn)
    if not await _is_current(conn):
        raise StartError("The database has an older schema than this code needs: run `tawny migrate` (or start `tawny serve`).")
    await _require_code(conn)


async def _is_current(conn: Connection) -> bool:
    exists = await conn.fetchval("select to_regclass('schema_migrations') is not null")
    newest = await conn.fetchval("select max(number) from schema_migrations") if exists else None
    return newest is not None and newest >= known()[-1].number


async def _require_server(conn: Connection) -> None:
    version = conn.get_server_version()
    if version.major < OLDEST_POSTGRESQL:
        raise StartError(f"Tawny needs PostgreSQL {OLDEST_POSTGRESQL} or newer; this server is {version.major}.{version.minor}.")
    if not await keeps_settings(conn):
        raise StartError(
            "Something between Tawny and its database drops the settings of a connection in silence: "
            "use PgBouncer there, or connect to the database itself."
        )


async def _require_code(conn: Connection) -> None:
    needed = max((await _applied_codes(conn)), default=0)
    if needed > known()[-1].number:
        raise StartError(
            f"The database was migrated by a newer Tawny and refuses code that knows no migration {needed}: upgrade this one."
        )


async def _applied_codes(conn: Connection) -> list[int]:
    return [row["min_code"] for row in await conn.fetch("select min_code from schema_migrations")]


async def wait_for_schema(url: str, timeout: float = 30.0) -> None:
    """Wait until the database at `url` answers and has the schema this code needs; StartError after `timeout` seconds."""
    deadline = monotonic() + timeout
    while True:
        try:
            conn = await connect(url)
            try:
                return await require_schema(conn)
            finally:
                await conn.close()
        except _NOT_YET as error:
            if monotonic() > deadline:
                raise StartError(f"The database was not ready within {timeout:.0f} seconds. {error}") from error
        await asyncio.sleep(0.1)
