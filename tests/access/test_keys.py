"""Making and revoking keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from tawny.access import PERMISSIONS, Actor, Role, create_key, create_team, permissions_of, revoke_key
from tawny.access.key_text import hash_key, looks_valid
from tawny.db.pool import Connection
from tawny.errors import Forbidden, InvalidRequest, NotFound

AddUser = Callable[[Role], Awaitable[Actor]]
HOST = Actor.host()


async def test_a_key_is_shown_once_and_only_its_hash_is_kept(conn: Connection, team_id: UUID, add_user: AddUser) -> None:
    admin = await add_user("admin")
    key, text = await create_key(conn, admin, team_id, name="ci", permissions=["jobs:write", "jobs:read", "jobs:read"])
    assert looks_valid(text)
    assert (key.team_id, key.created_by, key.name, key.last4) == (team_id, admin.id, "ci", text[-4:])
    assert key.permissions == ["jobs:read", "jobs:write"]
    assert (key.expires_at, key.revoked_at, key.last_used_at) == (None, None, None)
    (stored,) = await conn.fetch("select * from api_keys")
    assert stored["key_hash"] == hash_key(text)
    assert text not in repr(stored)
    assert text not in repr(key)


async def test_a_key_of_the_host_has_no_maker_and_may_read_system_runs(conn: Connection, team_id: UUID) -> None:
    key, _ = await create_key(conn, HOST, team_id, name="ops", permissions=PERMISSIONS)
    assert key.created_by is None
    assert tuple(key.permissions) == PERMISSIONS


@pytest.mark.parametrize("role", ["admin", "owner"])
async def test_a_key_gets_at_most_what_its_maker_has(conn: Connection, team_id: UUID, add_user: AddUser, role: Role) -> None:
    maker = await add_user(role)
    await create_key(conn, maker, team_id, name="all", permissions=permissions_of(role))
    with pytest.raises(Forbidden, match="system:read"):
        await create_key(conn, maker, team_id, name="more", permissions=["jobs:read", "system:read"])


async def test_members_strangers_and_keys_make_no_keys(conn: Connection, team_id: UUID, add_user: AddUser) -> None:
    stranger = Actor("user", uuid4(), {uuid4(): "owner"})
    program = Actor("api_key", uuid4(), {team_id: "owner"}, frozenset(PERMISSIONS))
    cases = ((await add_user("member"), "insufficient_role"), (stranger, "not_a_member"), (program, "insufficient_permission"))
    for actor, code in cases:
        with pytest.raises(Forbidden) as refused:
            await create_key(conn, actor, team_id, name="ci", permissions=["jobs:read"])
        assert refused.value.code == code
    assert await conn.fetchval("select count(*) from api_keys") == 0


@pytest.mark.parametrize("permissions", [[], ["jobs:delete"], ["jobs:read", "JOBS:READ"], "jobs:read", [""], ["*"]])
async def test_unknown_or_no_permissions_are_refused(conn: Connection, team_id: UUID, permissions: list[str]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await create_key(conn, HOST, team_id, name="ci", permissions=permissions)
    assert refused.value.code == "invalid_permissions"


async def test_a_time_to_expire_is_kept(conn: Connection, team_id: UUID) -> None:
    expires_at = datetime.now(UTC) + timedelta(hours=1)
    key, _ = await create_key(conn, HOST, team_id, name="ci", permissions=["jobs:read"], expires_at=expires_at)
    assert key.expires_at == expires_at


@pytest.mark.parametrize("ago", [timedelta(0), timedelta(seconds=1), timedelta(days=10_000)])
async def test_a_key_that_has_expired_already_is_not_made(conn: Connection, team_id: UUID, ago: timedelta) -> None:
    with pytest.raises(InvalidRequest, match="past"):
        await create_key(conn, HOST, team_id, name="ci", permissions=["jobs:read"], expires_at=datetime.now(UTC) - ago)


async def test_a_time_to_expire_needs_a_zone(conn: Connection, team_id: UUID) -> None:
    with pytest.raises(InvalidRequest, match="zone"):
        await create_key(conn, HOST, team_id, name="ci", permissions=["jobs:read"], expires_at=datetime(2999, 1, 1))


async def test_there_is_no_other_team(conn: Connection, team_id: UUID) -> None:
    with pytest.raises(NotFound):
        await create_key(conn, HOST, uuid4(), name="ci", permissions=["jobs:read"])


async def test_revoking_twice_keeps_the_first_time(conn: Connection, team_id: UUID, add_user: AddUser) -> None:
    admin = await add_user("admin")
    key, _ = await create_key(conn, HOST, team_id, name="ci", permissions=["jobs:read"])
    revoked = await revoke_key(conn, admin, team_id, key.id)
    assert revoked.revoked_at is not None
    assert await revoke_key(conn, admin, team_id, key.id) == revoked


async def test_members_and_strangers_revoke_no_keys(conn: Connection, team_id: UUID, add_user: AddUser) -> None:
    key, _ = await create_key(conn, HOST, team_id, name="ci", permissions=["jobs:read"])
    other = await create_team(conn, HOST, name="Other", owner_email="o@example.com")
    stranger = Actor("user", other.user_id, {other.team_id: "owner"})
    itself = Actor("api_key", key.id, {team_id: "owner"}, frozenset(PERMISSIONS))
    for actor in (await add_user("member"), stranger, itself):
        with pytest.raises(Forbidden):
            await revoke_key(conn, actor, team_id, key.id)
    for key_id in (key.id, uuid4()):
        with pytest.raises(NotFound, match=r"^Key not found\.$"):
            await revoke_key(conn, stranger, other.team_id, key_id)
    assert await conn.fetchval("select revoked_at from api_keys") is None
