"""People, known by their e-mail address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tawny.access.email import check_email
from tawny.access.operations import Role
from tawny.access.statements import queries
from tawny.db.ids import uuid7
from tawny.db.pool import Connection


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who can sign in."""

    id: UUID
    email: str
    created_at: datetime


async def ensure_user(conn: Connection, email: str) -> UUID:
    """Return the id of the user with this address, making the user when there is none. InvalidRequest for a bad address."""
    user_id: UUID = await queries.ensure_user(conn, id=uuid7(), email=check_email(email))
    return user_id


async def user_by_id(conn: Connection, user_id: UUID) -> User:
    """Return a user that there is: users are not deleted. For the user themselves; it asks for no rights."""
    return User(**await queries.find_user(conn, user_id=user_id))


async def find_user(conn: Connection, user_id: UUID) -> User | None:
    """Return a user by id, or None. For the user themselves; it asks for no rights."""
    row = await queries.find_user(conn, user_id=user_id)
    return User(**row) if row else None


async def roles_of_user(conn: Connection, user_id: UUID) -> dict[UUID, Role] | None:
    """Return the user's role by team, as it is now; None when there is no such user."""
    rows = await queries.roles_of_user(conn, user_id=user_id)
    return {row["team_id"]: row["role"] for row in rows if row["team_id"] is not None} if rows else None
