"""Agent keys of a team."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import Field

from tawny import access
from tawny.access import WRITE_KEYS, Permission
from tawny.api.answers import Answer, answered
from tawny.api.bulk_envelope import Moment
from tawny.api.call import Call
from tawny.api.envelope import Answered, Strict, checked
from tawny.api.operation import operation

TAG: Final = "Keys"
PATH: Final = "/v1/teams/{team_id}/keys"


class NewKeyBody(Strict):
    """A key to be made."""

    name: str = Field(description="What people call it.")
    permissions: list[str] = Field(description="What it may do; at most what its maker may.")
    expires_at: Moment | None = Field(None, description="Until when it is good; for ever unless given.")


class Key(Answered):
    """An agent key without its text."""

    id: UUID
    team_id: UUID
    name: str
    last4: str = Field(description="Its last four characters.")
    permissions: list[Permission]
    created_by: UUID | None = Field(description="The user who made it; null: made on the host.")
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute.")


class NewKey(Key):
    """A key with its text, which is shown only now."""

    api_key: str


class Keys(Answered):
    """Oldest first, also those that are not good any more."""

    keys: list[Key]


class Revoked(Answered):
    """The key is not good any more."""

    revoked: bool


@operation("GET", PATH, tag=TAG, answer=Keys, refuses=(403,))
async def list_keys(call: Call) -> Answer:
    """List a team's keys. Needs a user with the role admin or owner."""
    actor = await call.actor()
    async with call.state.pool.acquire() as conn:
        keys = await access.list_keys(conn, actor, call.id("team_id"))
    return answered({"keys": [_shown(key) for key in keys]})


@operation("POST", PATH, tag=TAG, answer=NewKey, status=201, body=NewKeyBody, refuses=(403,))
async def create_key(call: Call) -> Answer:
    """Make a key, which may do what its permissions and its maker's role both allow. Needs a user who is admin or owner."""
    actor, team_id = await call.actor(), call.id("team_id")
    actor.require(team_id, WRITE_KEYS)
    body = checked(NewKeyBody, await call.body())
    async with call.state.pool.transaction() as conn:
        key, text = await access.create_key(
            conn, actor, team_id, name=body.name, permissions=body.permissions, expires_at=body.expires_at
        )
    return answered(_shown(key) | {"api_key": text}, 201)


@operation("DELETE", f"{PATH}/{{key_id}}", tag=TAG, answer=Revoked, refuses=(403, 404))
async def revoke_key(call: Call) -> Answer:
    """Revoke a key: it is refused everywhere within half a second. Needs a user with the role admin or owner."""
    actor = await call.actor()
    async with call.state.pool.transaction() as conn:
        await access.revoke_key(conn, actor, call.id("team_id"), call.id("key_id"))
    return answered({"revoked": True})


OPERATIONS: Final = (list_keys, create_key, revoke_key)


def _shown(key: access.Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "team_id": key.team_id,
        "name": key.name,
        "last4": key.last4,
        "permissions": key.permissions,
        "created_by": key.created_by,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
    }
