"""Sign-ins that last: a token names its session, and is good for as long as the session is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from tawny.access.actor import Actor
from tawny.access.audit import leave
from tawny.access.statements import queries
from tawny.access.tokens import LIFETIME, issue_token
from tawny.access.users import ensure_user
from tawny.db.ids import uuid7
from tawny.db.pool import Connection

IDLE: Final = timedelta(hours=12)
"""How long a person's session may go unused."""


async def open_session(conn: Connection, secret: bytes, user_id: UUID, *, idle: timedelta | None = None) -> tuple[UUID, str]:
    """Begin a session of 7 days and return its id and its token. With `idle`, it also ends when unused for that long."""
    session_id = uuid7()
    await queries.insert_session(conn, id=session_id, user_id=user_id, lifetime=LIFETIME, idle=idle)
    return session_id, issue_token(secret, user_id, session_id, datetime.now(UTC))


async def make_token(conn: Connection, actor: Actor, secret: bytes, email: str) -> tuple[UUID, str]:
    """Sign a user, who is made when there is none, in without a code; return their id and a token. Only the host may."""
    actor.require_host()
    user_id = await ensure_user(conn, email)
    session_id, token = await open_session(conn, secret, user_id)
    await leave(conn, actor, "create", "session", session_id, team_id=None, user_id=user_id)
    return user_id, token


async def end_session(conn: Connection, actor: Actor) -> None:
    """End the session that this user came with: its token is refused in every process within half a second."""
    if actor.session_id is not None and await queries.delete_session(conn, id=actor.session_id, user_id=actor.id):
        await leave(conn, actor, "delete", "session", actor.session_id, team_id=None)


async def forget_sign_ins(conn: Connection) -> None:
    """Delete codes, sessions, invitations and counted limits that are over: a thousand of each at most."""
    await queries.forget_sign_ins(conn)
