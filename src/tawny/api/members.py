"""Who is in a team."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from tawny import access
from tawny.access import WRITE_MEMBERS, Role
from tawny.api.answers import Answer, answered
from tawny.api.call import Call
from tawny.api.envelope import Answered, Strict, checked
from tawny.api.operation import operation

TAG: Final = "Members"
PATH: Final = "/v1/teams/{team_id}/members"


class RoleBody(Strict):
    """Another role."""

    role: Role


class Member(Answered):
    """Somebody in a team."""

    user_id: UUID
    email: str
    role: Role
    joined_at: datetime


class Members(Answered):
    """In the order in which they came."""

    members: list[Member]


class Removed(Answered):
    """They are not in the team any more."""

    removed: bool


@operation("GET", PATH, tag=TAG, answer=Members, refuses=(403,))
async def list_members(call: Call) -> Answer:
    """List who is in a team. Needs a user who is a member."""
    actor = await call.actor()
    async with call.state.pool.acquire() as conn:
        members = await access.list_members(conn, actor, call.id("team_id"))
    return answered({"members": [_shown(member) for member in members]})


@operation("PATCH", f"{PATH}/{{user_id}}", tag=TAG, answer=Member, body=RoleBody, refuses=(403, 404, 409))
async def set_role(call: Call) -> Answer:
    """Give a member another role. Needs a user with the role admin or owner; only owners make owners, and the last one stays."""
    actor, team_id = await call.actor(), call.id("team_id")
    actor.require(team_id, WRITE_MEMBERS)
    body = checked(RoleBody, await call.body())
    async with call.state.pool.transaction() as conn:
        member = await access.set_role(conn, actor, team_id, call.id("user_id"), body.role)
    return answered(_shown(member))


@operation("DELETE", f"{PATH}/{{user_id}}", tag=TAG, answer=Removed, refuses=(403, 404, 409))
async def remove_member(call: Call) -> Answer:
    """Take somebody out of a team; the keys that they made there end with it. Needs a user with the role admin or owner.

    Everybody may leave. Only owners take out owners, and the last one stays.
    """
    actor = await call.actor()
    async with call.state.pool.transaction() as conn:
        await access.remove_member(conn, actor, call.id("team_id"), call.id("user_id"))
    return answered({"removed": True})


OPERATIONS: Final = (list_members, set_role, remove_member)


def _shown(member: access.Member) -> dict[str, Any]:
    return {"user_id": member.user_id, "email": member.email, "role": member.role, "joined_at": member.joined_at}
