"""Asking people into a team by mail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tawny.access.actor import Actor
from tawny.access.audit import leave
from tawny.access.email import check_email
from tawny.access.limits import INVITATIONS_OF_TEAM, spend
from tawny.access.members import require_may_give
from tawny.access.operations import VIEW_MEMBERS, WRITE_MEMBERS, Role
from tawny.access.statements import queries
from tawny.access.teams import team_must_exist
from tawny.db.ids import uuid7
from tawny.db.pool import Connection
from tawny.errors import Conflict, Forbidden, NotFound

INVITATION_DAYS: Final = 7


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation that waits for its address to sign in."""

    id: UUID
    team_id: UUID
    team_name: str
    email: str
    role: Role
    invited_by: UUID | None
    created_at: datetime
    expires_at: datetime


async def list_invitations(conn: Connection, actor: Actor, team_id: UUID) -> list[Invitation]:
    """List the invitations of a team that still wait, oldest first."""
    actor.require(team_id, VIEW_MEMBERS)
    return [Invitation(**row) for row in await queries.invitations_of_team(conn, team_id=team_id)]


async def invite(conn: Connection, actor: Actor, team_id: UUID, *, email: str, role: Role) -> Invitation:
    """Invite an address into the team for 7 days. Inviting it again renews the invitation, with the role of now.

    Conflict with code `already_member` for a member's address, TooManyRequests after a hundred a day, NotFound for a team that
    does not exist. To mail it is the caller's.
    """
    actor.require(team_id, WRITE_MEMBERS)
    require_may_give(actor, team_id, role)
    email = check_email(email)
    await spend(conn, INVITATIONS_OF_TEAM, str(team_id))
    with team_must_exist():
        row = await queries.put_invitation(
            conn, id=uuid7(), team_id=team_id, email=email, role=role, invited_by=actor.user_id, days=INVITATION_DAYS
        )
    if row is None:
        raise Conflict("This user is a member of the team already.", code="already_member")
    invitation = Invitation(**row)
    await leave(conn, actor, "create", "invitation", invitation.id, team_id=team_id, email=email, role=role)
    return invitation


async def withdraw(conn: Connection, actor: Actor, team_id: UUID, invitation_id: UUID) -> None:
    """Take an invitation back; NotFound when the team has no such one."""
    actor.require(team_id, WRITE_MEMBERS)
    email = await queries.delete_invitation(conn, id=invitation_id, team_id=team_id)
    if email is None:
        raise NotFound("Invitation not found.")
    await leave(conn, actor, "delete", "invitation", invitation_id, team_id=team_id, email=email)


async def my_invitations(conn: Connection, actor: Actor) -> list[Invitation]:
    """List the invitations that wait for this user; Forbidden for a key."""
    return [Invitation(**row) for row in await queries.invitations_of_user(conn, user_id=_user(actor))]


async def accept(conn: Connection, actor: Actor, invitation_id: UUID) -> UUID:
    """Join the team of an invitation to this user, and return its id. NotFound when there is none that still waits.

    Who has become a member by another way meanwhile keeps that role; only the invitation is gone.
    """
    row = await queries.take_invitation(conn, id=invitation_id, user_id=_user(actor))
    if row is None:
        raise NotFound("Invitation not found.")
    team_id: UUID = row["team_id"]
    if await queries.insert_membership(conn, team_id=team_id, user_id=actor.id, role=row["role"]):
        await leave(conn, actor, "create", "member", actor.id, team_id=team_id, role=row["role"], invitation_id=invitation_id)
    else:
        await leave(conn, actor, "delete", "invitation", invitation_id, team_id=team_id)
    return team_id


def _user(actor: Actor) -> UUID:
    if actor.kind != "user":
        raise Forbidden("An API key cannot do this; sign in as a user.", code="insufficient_permission")
    return actor.id
