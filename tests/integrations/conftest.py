"""A team with a project, people in it, and a ring of keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from tawny.access import Actor, Role, add_member, create_project, create_team
from tawny.db.ids import uuid7
from tawny.db.pool import Connection
from tawny.integrations import Keyring

AddUser = Callable[[Role], Awaitable[Actor]]
AddProject = Callable[[], Awaitable[UUID]]


@pytest.fixture
def keyring() -> Keyring:
    return Keyring([b"1" * 32])


@pytest.fixture
async def team_id(conn: Connection) -> UUID:
    return (await create_team(conn, Actor.host(), name="Acme", owner_email="olive@example.com")).team_id


@pytest.fixture
def add_user(conn: Connection, team_id: UUID) -> AddUser:
    """Adds somebody with this role to the team."""

    async def add(role: Role) -> Actor:
        user_id = await add_member(conn, Actor.host(), team_id, email=f"{uuid7()}@example.com", role=role)
        return Actor("user", user_id, {team_id: role}, user_id=user_id)

    return add


@pytest.fixture
async def admin(add_user: AddUser) -> Actor:
    return await add_user("admin")


@pytest.fixture
def add_project(conn: Connection, team_id: UUID) -> AddProject:
    """Adds a project to the team."""

    async def add() -> UUID:
        return (await create_project(conn, Actor.host(), team_id, name="Web", slug=uuid7().hex)).id

    return add


@pytest.fixture
async def project_id(add_project: AddProject) -> UUID:
    return await add_project()
