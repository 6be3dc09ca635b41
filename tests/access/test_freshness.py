"""How soon a change holds for those who were let in before it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from tawny.access import Actor, Role, authenticate
from tawny.access.authenticate import Authenticator
from tawny.db.pool import Connection, Pool
from tawny.errors import Unauthenticated

AddUser = Callable[[Role], Awaitable[Actor]]
MakeKey = Callable[..., Awaitable[str]]
TokenOf = Callable[[UUID], Awaitable[str]]

SECRET = b"an own secret for tests, 32 bytes or more"


async def refused(authenticator: Authenticator, header: str) -> bool:
    try:
        await authenticator.actor(header)
    except Unauthenticated:
        return True
    return False


async def test_a_revoked_key_is_refused_after_half_a_second(
    authenticator: Authenticator, make_key: MakeKey, conn: Connection, clock: Any
) -> None:
    header = f"Bearer {await make_key()}"
    actor = await authenticator.actor(header)
    await conn.execute("update api_keys set revoked_at = now()")
    clock.now += 0.499
    assert authenticator.cached(header) is actor
    assert await authenticator.actor(header) is actor
    clock.now += 0.001
    assert authenticator.cached(header) is None
    assert await refused(authenticator, header)


async def test_being_used_does_not_keep_a_credential_alive(
    authenticator: Authenticator, make_key: MakeKey, conn: Connection, clock: Any
) -> None:
    header = f"Bearer {await make_key()}"
    await authenticator.actor(header)
    await conn.execute("update api_keys set revoked_at = now()")
    for _ in range(4):
        clock.now += 0.124
        await authenticator.actor(header)
    clock.now += 0.01
    assert await refused(authenticator, header)


async def test_a_changed_role_holds_after_half_a_second_for_users_and_their_keys(
    authenticator: Authenticator,
    team_id: UUID,
    add_user: AddUser,
    make_key: MakeKey,
    token_of: TokenOf,
    conn: Connection,
    clock: Any,
) -> None:
    admin = await add_user("admin")
    headers = [f"Bearer {await make_key(admin)}", f"Bearer {await token_of(admin.id)}"]
    assert [(await authenticator.actor(header)).roles for header in headers] == [{team_id: "admin"}] * 2
    await conn.execute("update memberships set role = 'member' where user_id = $1", admin.id)
    clock.now += 0.5
    assert [(await authenticator.actor(header)).roles for header in headers] == [{team_id: "member"}] * 2


async def test_a_user_who_left_the_team_is_still_somebody_but_not_in_it(
    authenticator: Authenticator, add_user: AddUser, token_of: TokenOf, conn: Connection, clock: Any
) -> None:
    member = await add_user("member")
    header = f"Bearer {await token_of(member.id)}"
    await authenticator.actor(header)
    await conn.execute("delete from memberships where user_id = $1", member.id)
    clock.now += 0.5
    assert (await authenticator.actor(header)).roles == {}


async def test_a_slow_answer_counts_from_when_it_was_asked(
    authenticator: Authenticator, make_key: MakeKey, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_key = authenticate._find_key

    async def slowly(*args: Any) -> Actor | None:
        clock.now += 0.4
        return await find_key(*args)

    monkeypatch.setattr(authenticate, "_find_key", slowly)
    header = f"Bearer {await make_key()}"
    await authenticator.actor(header)
    clock.now += 0.1
    assert authenticator.cached(header) is None


@pytest.mark.slow
async def test_every_process_refuses_a_revoked_key_by_itself(pool: Pool, make_key: MakeKey, conn: Connection) -> None:
    """With the real clock."""
    header = f"Bearer {await make_key()}"
    processes = [Authenticator(pool, SECRET) for _ in range(3)]
    for process in processes:
        await process.actor(header)
    await conn.execute("update api_keys set revoked_at = now()")
    async with asyncio.timeout(5):
        for process in processes:
            while process.cached(header):
                await asyncio.sleep(0.01)
            assert await refused(process, header)
