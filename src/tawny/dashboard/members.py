"""Who is in a team, as what, and who is invited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast
from uuid import UUID

from tawny import access
from tawny.access import MAKE_OWNERS, ROLES, VIEW_MEMBERS, WRITE_MEMBERS, Invitation, Member, Role
from tawny.api.invitations import invitation_mail
from tawny.dashboard.page import page
from tawny.dashboard.people import names_of, who
from tawny.dashboard.reply import Reply
from tawny.dashboard.settings import SETTINGS, show_tab
from tawny.dashboard.visit import Question, Visit
from tawny.errors import Conflict, InvalidRequest, NotFound, RequestError, TooManyRequests

WHAT_ROLES_MAY: Final = {
    "member": "Watches runs by their link and cancels them",
    "admin": "Also lists and starts runs, and manages projects, keys and members",
    "owner": "Also makes owners",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A member, and what the visitor may do about them: the roles to give, and whether they can be taken out."""

    member: Member
    is_you: bool
    roles: Sequence[Role]
    removable: bool


@page("GET", SETTINGS, needs=VIEW_MEMBERS)
async def members(visit: Visit) -> Reply:
    """The team's members and invitations, and the invitations that wait for the visitor."""
    return await _shown(visit)


@page("POST", f"{SETTINGS}/members/{{user_id}}/role", needs=WRITE_MEMBERS)
async def change_role(visit: Visit) -> Reply:
    """Give a member another role."""
    async with visit.state.pool.transaction() as conn:
        await access.set_role(conn, visit.actor, visit.team.id, visit.call.id("user_id"), _role(visit))
    return visit.go(visit.path("settings"))


@page("GET", f"{SETTINGS}/members/{{user_id}}/remove", needs=VIEW_MEMBERS)
async def ask_to_remove(visit: Visit) -> Reply:
    """Ask whether somebody is to be taken out, or wants to leave."""
    member = await _member(visit, visit.call.id("user_id"))
    leaves, team = member.user_id == visit.actor.id, visit.team.name
    return visit.ask(
        Question(
            title=f"Leave {team}?" if leaves else f"Take {member.email} out of {team}?",
            sentence=f"{'Your' if leaves else 'Their'} agent keys in this team end at once, and coming back needs an invitation.",
            action=visit.path(f"settings/members/{member.user_id}/remove"),
            back=visit.path("settings"),
            button="Leave the team" if leaves else "Take them out",
            danger=True,
        )
    )


@page("POST", f"{SETTINGS}/members/{{user_id}}/remove", needs=VIEW_MEMBERS)
async def remove(visit: Visit) -> Reply:
    """Take somebody out, or leave."""
    user_id = visit.call.id("user_id")
    async with visit.state.pool.transaction() as conn:
        await access.remove_member(conn, visit.actor, visit.team.id, user_id)
    return visit.go(visit.path("/" if user_id == visit.actor.id else "settings"))


@page("POST", f"{SETTINGS}/invitations", needs=WRITE_MEMBERS)
async def send_invitation(visit: Visit) -> Reply:
    """Invite an address; once more renews the invitation, and mails it again."""
    email = visit.form.text("email")
    try:
        async with visit.state.pool.transaction() as conn:
            made = await access.invite(conn, visit.actor, visit.team.id, email=email, role=_role(visit))
    except (InvalidRequest, Conflict, TooManyRequests) as error:
        return await _shown(visit, error, email=email)
    visit.state.mailer.send_soon(invitation_mail(made, visit.call.public_url))
    return visit.go(visit.path("settings"))


@page("POST", f"{SETTINGS}/invitations/{{invitation_id}}/withdraw", needs=WRITE_MEMBERS)
async def withdraw_invitation(visit: Visit) -> Reply:
    """Take an invitation back."""
    async with visit.state.pool.transaction() as conn:
        await access.withdraw(conn, visit.actor, visit.team.id, visit.call.id("invitation_id"))
    return visit.go(visit.path("settings"))


@page("POST", "/invitations/{invitation_id}/accept")
async def accept_invitation(visit: Visit) -> Reply:
    """Join the team of an invitation."""
    async with visit.state.pool.transaction() as conn:
        await access.accept(conn, visit.actor, visit.call.id("invitation_id"))
    return visit.go(visit.path("/"))


PAGES: Final = (members, change_role, ask_to_remove, remove, send_invitation, withdraw_invitation, accept_invitation)


async def _shown(visit: Visit, error: RequestError | None = None, **typed: Any) -> Reply:
    async with visit.state.pool.acquire() as conn:
        found = await access.list_members(conn, visit.actor, visit.team.id)
        invited = await access.list_invitations(conn, visit.actor, visit.team.id)
        yours = await access.my_invitations(conn, visit.actor)
        names = await names_of(conn, visit)
    return show_tab(
        visit,
        "members.html",
        "settings",
        error=error,
        rows=rows_for(visit, found),
        invited=[(invitation, _by(invitation, names)) for invitation in invited],
        yours=yours,
        roles=_roles(visit),
        what_roles_may=WHAT_ROLES_MAY,
        may_invite=visit.may(WRITE_MEMBERS),
        mails_stay_here=visit.state.settings.smtp_url is None,
        typed={"email": "", **typed},
    )


def rows_for(visit: Visit, members: Sequence[Member]) -> list[Row]:
    """The members as this visitor sees them."""
    last_owner = sum(member.role == "owner" for member in members) == 1
    return [_row(visit, member, last_owner=last_owner) for member in members]


def _row(visit: Visit, member: Member, *, last_owner: bool) -> Row:
    is_you, is_owner = member.user_id == visit.actor.id, member.role == "owner"
    fixed = is_owner and (last_owner or not visit.may(MAKE_OWNERS))
    may_change = visit.may(WRITE_MEMBERS) and not fixed
    return Row(member, is_you, _roles(visit) if may_change else (), not fixed and (is_you or visit.may(WRITE_MEMBERS)))


def _roles(visit: Visit) -> Sequence[Role]:
    """The roles that the visitor may give."""
    return ROLES if visit.may(MAKE_OWNERS) else [role for role in ROLES if role != "owner"]


def _role(visit: Visit) -> Role:
    """The role of the form; the verb refuses what is none."""
    return cast("Role", visit.form.text("role"))


def _by(invitation: Invitation, names: Mapping[str, str]) -> str:
    return who(f"user:{invitation.invited_by}" if invitation.invited_by else "host:", names)


async def _member(visit: Visit, user_id: UUID) -> Member:
    """A member whom the visitor may take out, or is."""
    if user_id != visit.actor.id:
        visit.actor.require(visit.team.id, WRITE_MEMBERS)
    async with visit.state.pool.acquire() as conn:
        found = await access.list_members(conn, visit.actor, visit.team.id)
    member = next((member for member in found if member.user_id == user_id), None)
    if member is None:
        raise NotFound("Member not found.")
    return member
