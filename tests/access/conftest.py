"""A team with people in it, and ways to authenticate."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from tawny.access import Actor, Role, add_member, create_key, create_team, open_session
from tawny.access.authenticate import Authenticator
from tawny.access.users import roles_of_user
from tawny.db.pool import Connection, Pool

SECRET = b"an own secret for tests, 32 bytes or more"

AddUser = Callable[[Role], Awaitable[Actor]]
MakeKey = Callable[..., Awaitable[str]]


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class WatchedPool(Pool):
    """The real pool, which counts how often it is asked, and can be made to wait or to fail."""

    def __init__(self, pool: Pool) -> None:
        self._inner = pool
        self.asked = 0
        self.failure: Exception | None = None
        self.gate: Callable[[], Awaitable[object]] | None = None

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        self.asked += 1
        if self.gate:
            await self.gate()
        if self.failure:
            raise self.failure
        async with self._inner.acquire() as conn:
            yield conn


@pytest.fixture
async def team_id(conn: Connection) -> UUID:
    return (await create_team(conn, Actor.host(), name="Acme", owner_email="olive@example.com")).team_id


@pytest.fixture
def add_user(conn: Connection, team_id: UUID) -> AddUser:
    """Adds somebody with this role to the team."""

    async def add(role: Role) -> Actor:
        user_id = await add_member(conn, Actor.host(), team_id, email=f"{role}@example.com", role=role)
        roles = await roles_of_user(conn, user_id)
        assert roles == {team_id: role}
        return Actor("user", user_id, roles, user_id=user_id)

    return add


@pytest.fixture
def make_key(conn: Connection, team_id: UUID) -> MakeKey:
    """Makes a key of the team and returns its text."""

    async def make(actor: Actor | None = None, *permissions: str) -> str:
        _, text = await create_key(conn, actor or Actor.host(), team_id, name="ci", permissions=permissions or ("jobs:read",))
        return text

    return make


@pytest.fixture
def token_of(conn: Connection) -> Callable[[UUID], Awaitable[str]]:
    """Makes a token for this user that is good now."""

    async def open_one(user_id: UUID) -> str:
        _, token = await open_session(conn, SECRET, user_id)
        return token

    return open_one


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watched(pool: Pool) -> WatchedPool:
    return WatchedPool(pool)


@pytest.fixture
def authenticator(watched: WatchedPool, clock: Clock) -> Authenticator:
    return Authenticator(watched, SECRET, clock)
