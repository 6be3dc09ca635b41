"""Signing in and out, and who one is."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import Field

from tawny import access
from tawny.access import Attempt
from tawny.access.codes import CODE_MINUTES
from tawny.access.credential import refused
from tawny.api.answers import Answer, answered
from tawny.api.call import Call
from tawny.api.cookies import no_session_cookie, session_cookie
from tawny.api.envelope import Answered, Id, Strict, checked
from tawny.api.operation import operation
from tawny.errors import Forbidden, Unauthenticated
from tawny.mail import Mail

TAG: Final = "Signing in"


class EmailBody(Strict):
    """An address."""

    email: str


class VerifyBody(Strict):
    """A code that was mailed."""

    email: str
    code: str = Field(description="Six digits.")


class AgentLoginBody(VerifyBody):
    """A code that was mailed, and for which team."""

    team_id: Id | None = Field(None, description="Needed by who is in several teams.")


class Message(Answered):
    """What happened, for people."""

    message: str


class TeamOfKey(Answered):
    """A team."""

    id: UUID
    name: str
    slug: str


class TeamOfUser(TeamOfKey):
    """A team, and the role in it."""

    role: access.Role


class AgentLogin(Answered):
    """A key, which is shown only now."""

    api_key: str
    team: TeamOfKey


class UserOut(Answered):
    """Somebody who can sign in."""

    id: UUID
    email: str
    created_at: datetime


class SignedIn(Answered):
    """A session."""

    token: str
    user: UserOut
    teams: list[TeamOfUser]
    is_new_user: bool


class WhoamiKey(Answered):
    """Who a key is."""

    type: Literal["api_key"]
    key_type: Literal["agent"]
    team: TeamOfKey
    permissions: list[access.Permission]


class WhoamiUser(Answered):
    """Who a user is."""

    type: Literal["user"]
    email: str
    user: UserOut
    teams: list[TeamOfUser]


Whoami = WhoamiKey | WhoamiUser


class LoggedOut(Answered):
    """The session is over."""

    logged_out: bool


@operation("POST", "/v1/auth/send-code", tag=TAG, answer=Message, body=EmailBody, refuses=(429,), public=True)
async def send_code(call: Call) -> Answer:
    """Mail a six-digit code to an address. The answer is the same for every address, known or not.

    The code is good for 10 minutes and replaces the one before. At most 5 an hour for an address.
    """
    body = checked(EmailBody, await call.body())
    state = call.state
    async with state.pool.transaction() as conn:
        made = await access.send_code(conn, state.secret, body.email, client=call.client, signup=state.settings.may_sign_up)
    if made is not None:
        state.mailer.send_soon(code_mail(*made))
    return answered({"message": "Verification code sent"})


def code_mail(email: str, code: str) -> Mail:
    return Mail(
        to=email,
        subject=f"{code} is your code for Tawny",
        text=f"Your code to sign in to Tawny is\n\n    {code}\n\nIt is good for {CODE_MINUTES} minutes and can be used once. "
        "If you did not ask for it, somebody has typed your address; you need not do anything.\n",
        gist=f"sign-in code for {email}: {code}",
    )


@operation(
    "POST",
    "/v1/auth/verify-code",
    tag=TAG,
    answer=SignedIn,
    also={201: SignedIn},
    body=VerifyBody,
    refuses=(429,),
    public=True,
)
async def verify_code(call: Call) -> Answer:
    """Sign a person in by the code that was mailed: a token for 7 days, which also comes as a cookie. 201 for a new user.

    A code is used once, and after 5 wrong ones it is not good any more.
    """
    body = checked(VerifyBody, await call.body())
    state = call.state
    async with state.pool.transaction() as conn:
        signed_in = await access.verify_code(
            conn, state.secret, Attempt(body.email, body.code, call.client), signup=state.settings.may_sign_up
        )
    if signed_in is None:
        raise bad_code()
    shown = {
        "token": signed_in.token,
        "user": _user(signed_in.user),
        "teams": [_team_of_user(team) for team in signed_in.teams],
        "is_new_user": signed_in.is_new_user,
    }
    return answered(shown, 201 if signed_in.is_new_user else 200, [session_cookie(call.state.settings, signed_in.token)])


@operation(
    "POST", "/v1/auth/agent-login", tag=TAG, answer=AgentLogin, status=201, body=AgentLoginBody, refuses=(403, 429), public=True
)
async def agent_login(call: Call) -> Answer:
    """Make an agent key by the code that was mailed, with all that the user's role in the team allows. It is shown once.

    Who is in several teams and names none gets a 400 that lists them in `teams`; the code stays good.
    """
    body = checked(AgentLoginBody, await call.body())
    state = call.state
    async with state.pool.transaction() as conn:
        signed_in = await access.agent_login(
            conn,
            state.secret,
            Attempt(body.email, body.code, call.client),
            team_id=body.team_id,
            signup=state.settings.may_sign_up,
        )
    if signed_in is None:
        raise bad_code()
    return answered({"api_key": signed_in.api_key, "team": _team(signed_in.team)}, 201)


@operation("GET", "/v1/auth/whoami", tag=TAG, answer=Whoami)  # type: ignore[arg-type]
async def whoami(call: Call) -> Answer:
    """See who a credential is. Any key and any user may."""
    actor = await call.actor()
    async with call.state.pool.acquire() as conn:
        teams = await access.list_teams(conn, actor)
        user = await access.find_user(conn, actor.id) if actor.kind == "user" else None
    if actor.permissions is not None:
        granted = [permission for permission in access.PERMISSIONS if permission in actor.permissions]
        return answered({"type": "api_key", "key_type": "agent", "team": _team(teams[0]), "permissions": granted})
    if user is None:
        raise refused()
    return answered({"type": "user", "email": user.email, "user": _user(user), "teams": [_team_of_user(team) for team in teams]})


@operation("POST", "/v1/auth/logout", tag=TAG, answer=LoggedOut, refuses=(403,))
async def logout(call: Call) -> Answer:
    """End the session of this token: it is refused everywhere within half a second. Users only."""
    actor = await call.actor()
    if actor.kind != "user":
        raise Forbidden("An API key has no session; revoke the key instead.", code="insufficient_permission")
    async with call.state.pool.transaction() as conn:
        await access.end_session(conn, actor)
    return answered({"logged_out": True}, headers=[no_session_cookie(call.state.settings)])


OPERATIONS: Final = (send_code, verify_code, agent_login, whoami, logout)


def bad_code() -> Unauthenticated:
    return Unauthenticated("Invalid or expired code; ask for a new one.", code="invalid_code")


def _team(team: access.Team) -> dict[str, Any]:
    return {"id": team.id, "name": team.name, "slug": team.slug}


def _team_of_user(team: access.Team) -> dict[str, Any]:
    return _team(team) | {"role": team.role}


def _user(user: access.User) -> dict[str, Any]:
    return {"id": user.id, "email": user.email, "created_at": user.created_at}
