"""Which database a command works on, and how long it has it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import asyncpg

from tawny.config import Settings
from tawny.db import embedded
from tawny.db.pool import UNREACHABLE, connect_when_ready
from tawny.errors import StartError

_NO_CONNECTION: tuple[type[BaseException], ...] = (
    *UNREACHABLE,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)


@dataclass(frozen=True, slots=True)
class Database:
    """A database that a server works on. `tend`, called about once a second, starts an embedded one that has ended again."""

    url: str
    tend: Callable[[], bool] = lambda: False


@contextmanager
def owned(settings: Settings) -> Iterator[Database]:
    """The database of a server: the configured one, or the embedded one, which stops when the block ends."""
    if settings.database_url:
        yield Database(settings.database_url)
        return
    with embedded.own(settings.data_dir) as database:
        yield Database(database.url, database.tend)


@contextmanager
def borrowed(settings: Settings) -> Iterator[str]:
    """The url of the database for a single command, whether a server is running or not."""
    if settings.database_url:
        yield settings.database_url
        return
    with embedded.own_or_join(settings.data_dir) as url:
        yield url


def joined(settings: Settings) -> str:
    """The url of the database that a server has up; waits for that server up to 30 seconds."""
    return settings.database_url or embedded.join(settings.data_dir, 30)


@contextmanager
def explained() -> Iterator[None]:
    """Turn what a database says when it cannot or will not work for us into a StartError with a sentence."""
    try:
        yield
    except asyncpg.InsufficientPrivilegeError as error:
        raise StartError(f"The database does not allow this: {error}.") from error
    except _NO_CONNECTION as error:
        raise StartError(f"The database cannot be reached: {str(error) or type(error).__name__}.") from error


@asynccontextmanager
async def connection(url: str, *, timeout: float | None = 5.0) -> AsyncIterator[asyncpg.Connection]:
    """One connection for a command. StartError with a sentence when there is none to be had."""
    with explained():
        conn = await connect_when_ready(url, timeout=timeout)
        try:
            yield conn
        finally:
            await conn.close()
