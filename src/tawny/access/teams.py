"""Teams, which everything else belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from tawny.access.actor import Actor
from tawny.access.audit import leave
from tawny.access.names import SLUG_LIMIT, clean_name, slug_of
from tawny.access.operations import Role
from tawny.access.statements import queries
from tawny.access.users import ensure_user
from tawny.db.ids import uuid7
from tawny.db.pool import Connection
from tawny.errors import NotFound

_SUFFIX: Final = 8


@dataclass(frozen=True, slots=True)
class CreatedTeam:
    """A new team and its owner."""

    team_id: UUID
    user_id: UUID
    slug: str


@dataclass(frozen=True, slots=True)
class Team:
    """A team, and the role that whoever asked has in it."""

    id: UUID
    name: str
    slug: str
    created_at: datetime
    role: Role


async def create_team(conn: Connection, actor: Actor, *, name: str, owner_email: str) -> CreatedTeam:
    """Make a team with one owner, whose user is made when nobody has that address. Only the host may.

    The slug comes from the name, with something added when another team has it. InvalidRequest for a bad name or address.
    """
    actor.require_host()
    name = clean_name(name)
    made = await found_team(conn, name, await ensure_user(conn, owner_email))
    await leave(conn, actor, "create", "team", made.team_id, team_id=made.team_id, name=name, owner_id=made.user_id)
    return made


async def found_team(conn: Connection, name: str, owner_id: UUID) -> CreatedTeam:
    """Make a team (its name already cleaned) with this owner, as a part of something that leaves its own row in the audit log."""
    team_id, slug = await _insert_team(conn, name)
    await queries.insert_membership(conn, team_id=team_id, user_id=owner_id, role="owner")
    return CreatedTeam(team_id, owner_id, slug)


async def _insert_team(conn: Connection, name: str) -> tuple[UUID, str]:
    slug = slug_of(name)
    while True:
        team_id = uuid7()
        if await queries.insert_team(conn, id=team_id, name=name, slug=slug):
            return team_id, slug
        slug = f"{slug_of(name, SLUG_LIMIT - 1 - _SUFFIX)}-{team_id.hex[-_SUFFIX:]}"


async def list_teams(conn: Connection, actor: Actor) -> list[Team]:
    """List the teams of a user with the role in each, or the one team of a key; oldest first. Anybody may ask."""
    rows = await queries.teams_by_id(conn, team_ids=list(actor.roles))
    return [Team(**row, role=actor.roles[row["id"]]) for row in rows]


@contextmanager
def team_must_exist() -> Iterator[None]:
    """Turn the database's refusal of an unknown team into NotFound. Only the host can name one: others name teams they are in."""
    try:
        yield
    except asyncpg.ForeignKeyViolationError:
        raise NotFound("There is no team with this id.", code="team_not_found") from None
