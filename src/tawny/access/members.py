"""Who is in a team, and as what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tawny.access.actor import Actor
from tawny.access.audit import differences, leave
from tawny.access.operations import MAKE_OWNERS, ROLES, VIEW_MEMBERS, WRITE_MEMBERS, Role
from tawny.access.statements import queries
from tawny.access.teams import team_must_exist
from tawny.access.users import ensure_user
from tawny.db.pool import Connection
from tawny.errors import Conflict, InvalidRequest, NotFound


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in a team."""

    user_id: UUID
    email: str
    role: Role
    joined_at: datetime


async def list_members(conn: Connection, actor: Actor, team_id: UUID) -> list[Member]:
    """List who is in the team, in the order in which they came."""
    actor.require(team_id, VIEW_MEMBERS)
    return [Member(**row) for row in await queries.list_members(conn, team_id=team_id)]


async def add_member(conn: Connection, actor: Actor, team_id: UUID, *, email: str, role: Role) -> UUID:
    """Make the user with this address a member, and return the user's id. The user is made when nobody has the address.

    For the host, which need not ask; others invite. Conflict with code `already_member` for a member: their role is not changed.
    InvalidRequest for a bad address or role, NotFound for a team that does not exist.
    """
    actor.require(team_id, WRITE_MEMBERS)
    require_may_give(actor, team_id, role)
    user_id = await ensure_user(conn, email)
    with team_must_exist():
        added = await queries.insert_membership(conn, team_id=team_id, user_id=user_id, role=role)
    if not added:
        raise Conflict("This user is a member of the team already.", code="already_member")
    await leave(conn, actor, "create", "member", user_id, team_id=team_id, role=role)
    return user_id


def require_may_give(actor: Actor, team_id: UUID, role: Role) -> None:
    """Raise InvalidRequest for what is no role, Forbidden when this actor may not give it: only owners make owners."""
    if role not in ROLES:
        raise InvalidRequest(f"A role is one of {', '.join(ROLES)}.", code="invalid_role")
    if role == "owner":
        actor.require(team_id, MAKE_OWNERS)


async def set_role(conn: Connection, actor: Actor, team_id: UUID, user_id: UUID, role: Role) -> Member:
    """Give a member another role. It holds in every process within half a second, for their keys too.

    Admins may, but only owners make owners or take that away; the last owner stays one: Conflict with code `last_owner`.
    NotFound when there is no such member.
    """
    actor.require(team_id, WRITE_MEMBERS)
    require_may_give(actor, team_id, role)
    before = await _locked(conn, team_id, user_id)
    if before.role == "owner":
        actor.require(team_id, MAKE_OWNERS)
    if role != "owner":
        await _require_another_owner(conn, team_id, before)
    await queries.set_role(conn, team_id=team_id, user_id=user_id, role=role)
    await leave(
        conn, actor, "update", "member", user_id, team_id=team_id, changes=differences({"role": before.role}, {"role": role})
    )
    return Member(user_id, before.email, role, before.joined_at)


async def remove_member(conn: Connection, actor: Actor, team_id: UUID, user_id: UUID) -> None:
    """Take somebody out of the team; the keys they made there end with that, also should they come back.

    Admins may, and everybody may leave; only owners take out owners, and the last owner stays: Conflict with code `last_owner`.
    NotFound when there is no such member.
    """
    actor.require(team_id, VIEW_MEMBERS if actor.kind == "user" and actor.id == user_id else WRITE_MEMBERS)
    member = await _locked(conn, team_id, user_id)
    if member.role == "owner":
        actor.require(team_id, MAKE_OWNERS)
    await _require_another_owner(conn, team_id, member)
    await queries.delete_membership(conn, team_id=team_id, user_id=user_id)
    await leave(conn, actor, "delete", "member", user_id, team_id=team_id, role=member.role)


async def _locked(conn: Connection, team_id: UUID, user_id: UUID) -> Member:
    """The member, once every owner of the team is locked: two owners who demote each other at once must not both succeed."""
    await queries.lock_owners(conn, team_id=team_id)
    row = await queries.lock_member(conn, team_id=team_id, user_id=user_id)
    if row is None:
        raise NotFound("Member not found.")
    return Member(**row)


async def _require_another_owner(conn: Connection, team_id: UUID, member: Member) -> None:
    if member.role == "owner" and await queries.count_owners(conn, team_id=team_id) == 1:
        raise Conflict("The last owner of a team stays its owner; make somebody else an owner first.", code="last_owner")
