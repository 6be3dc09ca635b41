"""Asking people into a team."""

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
from tawny.api.projects import Deleted
from tawny.mail import Mail

TAG: Final = "Invitations"
PATH: Final = "/v1/teams/{team_id}/invitations"


class NewInvitationBody(Strict):
    """Whom to invite, and as what."""

    email: str
    role: Role = "member"


class Invitation(Answered):
    """An invitation that waits."""

    id: UUID
    team_id: UUID
    team_name: str
    email: str
    role: Role
    invited_by: UUID | None
    created_at: datetime
    expires_at: datetime


class Invitations(Answered):
    """Oldest first."""

    invitations: list[Invitation]


class Accepted(Answered):
    """A team that one is in by now."""

    team_id: UUID


@operation("GET", PATH, tag=TAG, answer=Invitations, refuses=(403,))
async def list_invitations(call: Call) -> Answer:
    """List the invitations of a team that still wait. Needs a user who is a member."""
    actor = await call.actor()
    async with call.state.pool.acquire() as conn:
        found = await access.list_invitations(conn, actor, call.id("team_id"))
    return answered({"invitations": [_shown(invitation) for invitation in found]})


@operation("POST", PATH, tag=TAG, answer=Invitation, status=201, body=NewInvitationBody, refuses=(403, 409, 429))
async def invite(call: Call) -> Answer:
    """Invite somebody by mail, for 7 days. Needs a user with the role admin or owner; only owners invite owners.

    Who is in no team joins by signing in with that address; who is in one accepts the invitation.
    """
    actor, team_id = await call.actor(), call.id("team_id")
    actor.require(team_id, WRITE_MEMBERS)
    body = checked(NewInvitationBody, await call.body())
    async with call.state.pool.transaction() as conn:
        invitation = await access.invite(conn, actor, team_id, email=body.email, role=body.role)
    call.state.mailer.send_soon(invitation_mail(invitation, call.public_url))
    return answered(_shown(invitation), 201)


def invitation_mail(invitation: access.Invitation, url: str) -> Mail:
    """What who is invited gets."""
    return Mail(
        to=invitation.email,
        subject=f"You are invited to {invitation.team_name} on Tawny",
        text=f"You are invited to the team “{invitation.team_name}” as {invitation.role}.\n\n"
        f"Sign in with this address at {url} within 7 days to join it.\n",
        gist=f"invitation to {invitation.team_name} for {invitation.email}",
    )


@operation("DELETE", f"{PATH}/{{invitation_id}}", tag=TAG, answer=Deleted, refuses=(403, 404))
async def withdraw(call: Call) -> Answer:
    """Take an invitation back. Needs a user with the role admin or owner."""
    actor = await call.actor()
    async with call.state.pool.transaction() as conn:
        await access.withdraw(conn, actor, call.id("team_id"), call.id("invitation_id"))
    return answered({"deleted": True})


@operation("GET", "/v1/invitations", tag=TAG, answer=Invitations, refuses=(403,))
async def my_invitations(call: Call) -> Answer:
    """List the invitations that wait for this user. Users only."""
    actor = await call.actor()
    async with call.state.pool.acquire() as conn:
        found = await access.my_invitations(conn, actor)
    return answered({"invitations": [_shown(invitation) for invitation in found]})


@operation("POST", "/v1/invitations/{invitation_id}/accept", tag=TAG, answer=Accepted, status=201, refuses=(403, 404))
async def accept(call: Call) -> Answer:
    """Join the team of an invitation to this user. Users only."""
    actor = await call.actor()
    async with call.state.pool.transaction() as conn:
        team_id = await access.accept(conn, actor, call.id("invitation_id"))
    return answered({"team_id": team_id}, 201)


OPERATIONS: Final = (list_invitations, invite, withdraw, my_invitations, accept)


def _shown(invitation: access.Invitation) -> dict[str, Any]:
    return {
        "id": invitation.id,
        "team_id": invitation.team_id,
        "team_name": invitation.team_name,
        "email": invitation.email,
        "role": invitation.role,
        "invited_by": invitation.invited_by,
        "created_at": invitation.created_at,
        "expires_at": invitation.expires_at,
    }
