"""Agent keys: what programs authenticate with."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tawny.access.actor import Actor
from tawny.access.audit import leave
from tawny.access.key_text import new_key
from tawny.access.names import clean_name
from tawny.access.operations import HOST_PERMISSIONS, PERMISSIONS, WRITE_KEYS, Permission, permissions_of
from tawny.access.statements import queries
from tawny.access.teams import team_must_exist
from tawny.db.ids import uuid7
from tawny.db.pool import Connection
from tawny.errors import Forbidden, InvalidRequest, NotFound


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its text, of which only the last four characters are kept. `created_by` is None: made on the host."""

    id: UUID
    team_id: UUID
    created_by: UUID | None
    name: str
    last4: str
    permissions: list[Permission]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


async def create_key(
    conn: Connection,
    actor: Actor,
    team_id: UUID,
    *,
    name: str,
    permissions: Collection[str],
    expires_at: datetime | None = None,
) -> tuple[Key, str]:
    """Make a key and return it with its full text, which cannot be had again.

    A key gets at most what its maker's role allows, and `system:read` only on the host: Forbidden otherwise. InvalidRequest for a
    bad name, an unknown permission, none at all, or a time to expire without a zone or in the past; NotFound for an unknown team.
    """
    actor.require(team_id, WRITE_KEYS)
    name = clean_name(name)
    granted = _grantable(actor, team_id, permissions)
    if expires_at is not None and expires_at.tzinfo is None:
        raise InvalidRequest("expires_at needs a time zone.", code="invalid_expires_at")
    key, text = await insert_key(conn, actor, team_id, name=name, permissions=granted, expires_at=expires_at)
    await leave(conn, actor, "create", "api_key", key.id, team_id=team_id, name=name, permissions=granted)
    return key, text


async def insert_key(
    conn: Connection,
    actor: Actor,
    team_id: UUID,
    *,
    name: str,
    permissions: list[Permission],
    expires_at: datetime | None = None,
) -> tuple[Key, str]:
    """Make a key of which everything was checked, as a part of something that leaves its own row in the audit log."""
    text, key_hash = new_key()
    with team_must_exist():
        row = await queries.insert_key(
            conn,
            id=uuid7(),
            team_id=team_id,
            created_by=actor.user_id,
            name=name,
            key_hash=key_hash,
            last4=text[-4:],
            permissions=permissions,
            expires_at=expires_at,
        )
    if row is None:
        raise InvalidRequest("expires_at is in the past.", code="invalid_expires_at")
    return Key(**row), text


async def list_keys(conn: Connection, actor: Actor, team_id: UUID) -> list[Key]:
    """List the keys of a team, also those that are revoked or expired, oldest first."""
    actor.require(team_id, WRITE_KEYS)
    return [Key(**row) for row in await queries.list_keys(conn, team_id=team_id)]


def _grantable(actor: Actor, team_id: UUID, asked: Collection[str]) -> list[Permission]:
    """The permissions asked for, in the order of the published list, each once."""
    if isinstance(asked, str) or not asked or not set(asked) <= set(PERMISSIONS):
        raise InvalidRequest(f"permissions is a list of one or more of {', '.join(PERMISSIONS)}.", code="invalid_permissions")
    permissions = [permission for permission in PERMISSIONS if permission in asked]
    beyond = [permission for permission in permissions if not _may_grant(actor, team_id, permission)]
    if beyond:
        raise Forbidden(f"You cannot give a key the permission {beyond[0]}, which you do not have.", code="insufficient_role")
    return permissions


def _may_grant(actor: Actor, team_id: UUID, permission: Permission) -> bool:
    if actor.kind == "host":
        return True
    return permission not in HOST_PERMISSIONS and permission in permissions_of(actor.roles[team_id])


async def revoke_key(conn: Connection, actor: Actor, team_id: UUID, key_id: UUID) -> Key:
    """End a key: every process refuses it within half a second. Once more does nothing. NotFound for none of the team's."""
    actor.require(team_id, WRITE_KEYS)
    row = await queries.revoke_key(conn, key_id=key_id, team_id=team_id)
    if row is None:
        raise NotFound("Key not found.")
    was_good = row["was_good"]
    key = Key(**{name: value for name, value in row.items() if name != "was_good"})
    if was_good:
        await leave(conn, actor, "delete", "api_key", key_id, team_id=team_id, name=key.name)
    return key
