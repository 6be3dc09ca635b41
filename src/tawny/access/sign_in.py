"""Sign in with a code that was mailed: a person for a session, an agent for a key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from tawny.access.actor import Actor
from tawny.access.audit import leave
from tawny.access.codes import make_code, redeem_code
from tawny.access.email import check_email
from tawny.access.keys import insert_key
from tawny.access.limits import CODES_OF_ADDRESS, CODES_OF_CLIENT, TRIES_OF_CLIENT, spend
from tawny.access.names import NAME_LIMIT, clean_name
from tawny.access.operations import PERMISSIONS, Role, permissions_of
from tawny.access.sessions import IDLE, open_session
from tawny.access.statements import queries
from tawny.access.teams import Team, found_team, list_teams
from tawny.access.users import User, ensure_user, roles_of_user, user_by_id
from tawny.db.pool import Connection
from tawny.errors import Forbidden, InvalidRequest

AGENT_KEY: Final = "Agent sign-in"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What somebody who signs in shows, and from where (see `client_subject`)."""

    email: str
    code: str = field(repr=False)
    client: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person's session. `is_new_user`: the address was unknown until now."""

    token: str = field(repr=False)
    user: User
    teams: Sequence[Team]
    is_new_user: bool


@dataclass(frozen=True, slots=True)
class AgentSignedIn:
    """An agent's key, which is shown once, and its team."""

    api_key: str = field(repr=False)
    team: Team


class TeamRequired(InvalidRequest):
    """The user is in several teams and named none. The code stays good."""

    default_code = "team_required"


async def send_code(conn: Connection, secret: bytes, email: str, *, client: str, signup: bool) -> tuple[str, str] | None:
    """Make a code for an address; return the address and the code to mail, None when there is nobody to mail it to.

    What is written, and so how long it takes, is the same for every address. TooManyRequests after 5 an hour for an address, or
    many from one client; InvalidRequest for what is no address.
    """
    email = check_email(email)
    await spend(conn, CODES_OF_CLIENT, client)
    await spend(conn, CODES_OF_ADDRESS, email)
    code = await make_code(conn, secret, email)
    known: bool = await queries.may_sign_in(conn, email=email)
    return (email, code) if known or signup else None


async def verify_code(conn: Connection, secret: bytes, attempt: Attempt, *, signup: bool) -> SignedIn | None:
    """Sign a person in; None, which is to be committed, when the code is not good.

    An unknown address gets a user and the teams it was invited to, or else a team of its own.
    """
    user_id, is_new = await _prove(conn, secret, attempt, signup=signup) or (None, False)
    if user_id is None:
        return None
    session_id, token = await open_session(conn, secret, user_id, idle=IDLE)
    actor = await _actor(conn, user_id, session_id)
    await leave(conn, actor, "create", "session", session_id, team_id=None, new_user=is_new)
    return SignedIn(token, await user_by_id(conn, user_id), await list_teams(conn, actor), is_new)


async def agent_login(
    conn: Connection, secret: bytes, attempt: Attempt, *, team_id: UUID | None, signup: bool
) -> AgentSignedIn | None:
    """Make an agent key with all that the user's role allows; None, which is to be committed, when the code is not good.

    TeamRequired, with `teams`, for a member of several teams who names none; Forbidden for a team that the user is not in. After
    either the code is still good, since nothing is to be committed.
    """
    user_id, is_new = await _prove(conn, secret, attempt, signup=signup) or (None, False)
    if user_id is None:
        return None
    actor = await _actor(conn, user_id)
    team = _choose(await list_teams(conn, actor), team_id)
    granted = [permission for permission in PERMISSIONS if permission in permissions_of(team.role)]
    key, text = await insert_key(conn, actor, team.id, name=AGENT_KEY, permissions=granted)
    await leave(conn, actor, "create", "api_key", key.id, team_id=team.id, name=key.name, permissions=granted, new_user=is_new)
    return AgentSignedIn(text, team)


def _choose(teams: Sequence[Team], team_id: UUID | None) -> Team:
    if team_id is not None:
        chosen = next((team for team in teams if team.id == team_id), None)
        if chosen is None:
            raise Forbidden("You are not a member of this team; ask one of its admins to invite you.", code="not_a_member")
        return chosen
    if not teams:
        raise Forbidden("You are not a member of any team; ask an admin of one to invite you.", code="not_a_member")
    if len(teams) > 1:
        offered = [{"id": str(team.id), "name": team.name, "slug": team.slug, "role": team.role} for team in teams]
        raise TeamRequired("You are in several teams; name one of them by team_id.", teams=offered)
    return teams[0]


async def _prove(conn: Connection, secret: bytes, attempt: Attempt, *, signup: bool) -> tuple[UUID, bool] | None:
    """The user whose address this is proved to be, and whether they are new; None when it is not proved."""
    email = check_email(attempt.email)
    await spend(conn, TRIES_OF_CLIENT, attempt.client)
    if not await redeem_code(conn, secret, email, attempt.code):
        return None
    if not (signup or await queries.may_sign_in(conn, email=email)):
        return None
    known: UUID | None = await queries.user_of_address(conn, email=email)
    user_id = known or await ensure_user(conn, email)
    await _settle(conn, user_id, email, signup=signup)
    return user_id, known is None


async def _settle(conn: Connection, user_id: UUID, email: str, *, signup: bool) -> None:
    """Give who is in no team the teams they were invited to, or else, where people may sign up, one of their own."""
    if await roles_of_user(conn, user_id):
        return
    if not await queries.take_invitations(conn, user_id=user_id, email=email) and signup:
        await found_team(conn, _team_name(email), user_id)


def _team_name(email: str) -> str:
    local, _, _ = email.partition("@")
    return clean_name(f"{local[: NAME_LIMIT - 20].capitalize()}'s team")


async def _actor(conn: Connection, user_id: UUID, session_id: UUID | None = None) -> Actor:
    roles: dict[UUID, Role] = await roles_of_user(conn, user_id) or {}
    return Actor("user", user_id, roles, user_id=user_id, session_id=session_id)
