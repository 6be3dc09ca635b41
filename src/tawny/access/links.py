"""Links that sign somebody in once: for the operator, who has no mail server yet."""

from __future__ import annotations

import secrets
from datetime import timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

from tawny.access.actor import Actor
from tawny.access.audit import leave
from tawny.access.limits import TRIES_OF_CLIENT, spend
from tawny.access.sessions import IDLE, open_session
from tawny.access.statements import queries
from tawny.access.users import ensure_user
from tawny.db.pool import Connection

LINK_LIFETIME: Final = timedelta(hours=1)


async def make_link(conn: Connection, actor: Actor, email: str) -> tuple[UUID, str]:
    """Return the id of a user, who is made when there is none, and the token of a link that signs them in: once, within an hour.

    Only the host may.
    """
    actor.require_host()
    user_id = await ensure_user(conn, email)
    token = secrets.token_urlsafe(24)
    await queries.insert_link(conn, token_hash=_hash(token), user_id=user_id, lifetime=LINK_LIFETIME)
    await leave(conn, actor, "create", "sign_in_link", user_id, team_id=None)
    return user_id, token


async def follow_link(conn: Connection, secret: bytes, token: str, *, client: str) -> str | None:
    """Begin a session for whose link this is and return its token; None, which is to be committed, when the link is not good."""
    await spend(conn, TRIES_OF_CLIENT, client)
    user_id: UUID | None = await queries.take_link(conn, token_hash=_hash(token))
    if user_id is None:
        return None
    session_id, session = await open_session(conn, secret, user_id, idle=IDLE)
    actor = Actor("user", user_id, user_id=user_id, session_id=session_id)
    await leave(conn, actor, "create", "session", session_id, team_id=None, by_link=True)
    return session


def _hash(token: str) -> bytes:
    """Without a salt: what is hashed is 192 random bits."""
    return sha256(token.encode()).digest()
