"""Sessions: how they end, how soon that holds in every process, and what is kept of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.access.door import SECRET, Door
from tests.conftest import TABLES

from tawny.access import (
    Actor,
    Authenticator,
    Role,
    create_key,
    create_project,
    end_session,
    ensure_user,
    forget_sign_ins,
    issue_token,
    make_token,
    open_session,
    read_token,
)
from tawny.db.pool import Connection, Pool
from tawny.errors import Forbidden, InvalidRequest, Unauthenticated

AddUser = Callable[[Role], Awaitable[Actor]]
TokenOf = Callable[[UUID], Awaitable[str]]
HOST = Actor.host()
TWELVE_HOURS = timedelta(hours=12)


@pytest.fixture
def is_good(pool: Pool) -> Callable[[str], Awaitable[bool]]:
    """Whether a token lets its user in, by a process that knows nothing yet."""

    async def ask(token: str) -> bool:
        try:
            await Authenticator(pool, SECRET).actor(f"Bearer {token}")
        except Unauthenticated:
            return False
        return True

    return ask


async def pass_time(conn: Connection, span: timedelta) -> None:
    await conn.execute("update sessions set expires_at = expires_at - $1::interval, last_used_at = last_used_at - $1", span)


async def test_logging_out_holds_in_every_process_after_half_a_second(
    conn: Connection, pool: Pool, clock: Any, add_user: AddUser, token_of: TokenOf
) -> None:
    header = f"Bearer {await token_of((await add_user('member')).id)}"
    here, there = Authenticator(pool, SECRET, clock), Authenticator(pool, SECRET, clock)
    actor = await here.actor(header)
    await there.actor(header)
    await end_session(conn, actor)
    clock.now += 0.499
    assert there.cached(header) is not None
    clock.now += 0.001
    for process in (here, there):
        assert process.cached(header) is None
        with pytest.raises(Unauthenticated):
            await process.actor(header)


async def test_logging_out_ends_one_session_of_several(conn: Connection, is_good, pool: Pool) -> None:
    user_id = await ensure_user(conn, "ann@example.com")
    tokens = [(await open_session(conn, SECRET, user_id))[1] for _ in range(3)]
    await end_session(conn, await Authenticator(pool, SECRET).actor(f"Bearer {tokens[1]}"))
    assert [await is_good(token) for token in tokens] == [True, False, True]


async def test_nobody_ends_the_session_of_somebody_else(conn: Connection, is_good) -> None:
    ann, ben = await ensure_user(conn, "ann@example.com"), await ensure_user(conn, "ben@example.com")
    session_id, token = await open_session(conn, SECRET, ann)
    await end_session(conn, Actor("user", ben, user_id=ben, session_id=session_id))
    await end_session(conn, Actor("api_key", ann, user_id=ann))
    assert await is_good(token)
    assert await conn.fetchval("select count(*) from audit_log") == 0


async def test_logging_out_twice_is_one_thing_done(conn: Connection, is_good) -> None:
    ann = await ensure_user(conn, "ann@example.com")
    session_id, token = await open_session(conn, SECRET, ann)
    for _ in range(2):
        await end_session(conn, Actor("user", ann, user_id=ann, session_id=session_id))
    assert not await is_good(token)
    assert await conn.fetchval("select count(*) from audit_log") == 1


async def test_a_session_ends_after_seven_days(conn: Connection, is_good) -> None:
    _, token = await open_session(conn, SECRET, await ensure_user(conn, "ann@example.com"))
    await pass_time(conn, timedelta(days=7, seconds=-10))
    assert await is_good(token)
    await pass_time(conn, timedelta(seconds=11))
    assert not await is_good(token)


@pytest.mark.parametrize(
    ("idle", "unused", "good"),
    [
        (TWELVE_HOURS, timedelta(hours=11, minutes=59), True),
        (TWELVE_HOURS, timedelta(hours=12, seconds=1), False),
        (None, timedelta(days=6), True),
    ],
)
async def test_a_session_ends_when_it_is_not_used_for_as_long_as_it_says(
    conn: Connection, is_good, idle: timedelta | None, unused: timedelta, good: bool
) -> None:
    _, token = await open_session(conn, SECRET, await ensure_user(conn, "ann@example.com"), idle=idle)
    await pass_time(conn, unused)
    assert await is_good(token) == good


async def test_a_use_is_noted_and_keeps_the_session(conn: Connection, is_good, authenticator: Authenticator) -> None:
    _, token = await open_session(conn, SECRET, await ensure_user(conn, "ann@example.com"), idle=TWELVE_HOURS)
    _, other = await open_session(conn, SECRET, await ensure_user(conn, "ben@example.com"), idle=TWELVE_HOURS)
    await pass_time(conn, timedelta(hours=11))
    await authenticator.actor(f"Bearer {token}")
    await authenticator.flush_last_used(conn)
    await pass_time(conn, timedelta(hours=2))
    assert await is_good(token)
    assert not await is_good(other)


async def test_a_use_is_noted_at_most_once_a_minute(conn: Connection, authenticator: Authenticator, clock: Any) -> None:
    _, token = await open_session(conn, SECRET, await ensure_user(conn, "ann@example.com"))

    async def use() -> datetime:
        clock.now += 1
        await authenticator.actor(f"Bearer {token}")
        await authenticator.flush_last_used(conn)
        noted: datetime = await conn.fetchval("select last_used_at from sessions")
        return noted

    first = await conn.fetchval("select last_used_at from sessions")
    assert await use() == first
    await pass_time(conn, timedelta(seconds=61))
    assert await use() >= first


async def test_a_refused_token_is_no_use(conn: Connection, authenticator: Authenticator) -> None:
    _, token = await open_session(conn, SECRET, await ensure_user(conn, "ann@example.com"), idle=TWELVE_HOURS)
    await pass_time(conn, timedelta(hours=13))
    with pytest.raises(Unauthenticated):
        await authenticator.actor(f"Bearer {token}")
    await authenticator.flush_last_used(conn)
    assert await conn.fetchval("select last_used_at < now() - interval '12 hours' from sessions")


async def test_a_token_names_a_session_of_its_own_user(conn: Connection, is_good) -> None:
    ann, ben = await ensure_user(conn, "ann@example.com"), await ensure_user(conn, "ben@example.com")
    session_id, token = await open_session(conn, SECRET, ann)
    now = datetime.now(UTC)
    assert await is_good(token)
    assert not await is_good(issue_token(SECRET, ben, session_id, now)), "of somebody else"
    assert not await is_good(issue_token(SECRET, ann, uuid4(), now)), "of nobody"


async def test_only_the_host_makes_tokens_without_a_code(conn: Connection, team_id: UUID, add_user: AddUser) -> None:
    owner = await add_user("owner")
    key = Actor("api_key", uuid4(), {team_id: "owner"}, frozenset({"system:read"}))
    for actor in (owner, key):
        with pytest.raises(Forbidden) as refused:
            await make_token(conn, actor, SECRET, "owner@example.com")
        assert refused.value.code == "host_only"
    assert await conn.fetchval("select count(*) from sessions") == 0


async def test_the_host_signs_a_user_in_who_is_made_when_there_is_none(conn: Connection, is_good) -> None:
    for _ in range(2):
        user_id, token = await make_token(conn, HOST, SECRET, "Ann@example.com")
        assert read_token(SECRET, token).user_id == user_id
        assert await is_good(token)
    assert await conn.fetchval("select array_agg(email) from users") == ["ann@example.com"]
    with pytest.raises(InvalidRequest):
        await make_token(conn, HOST, SECRET, "ann")


_FILL = """
insert into teams (id, name, slug) values (gen_random_uuid(), 'T', 'for-invitations');
insert into users (id, email) values (gen_random_uuid(), 'of@sessions.example');
insert into sign_in_codes (email, code_hash, expires_at, tries)
values ('over', '', now() - interval '1 second', 0), ('used', '', '-infinity', 1), ('kept', '', now() + interval '1 minute', 5);
insert into sessions (id, user_id, expires_at) select gen_random_uuid(), id, now() - interval '1 second' from users;
insert into sessions (id, user_id, expires_at) select gen_random_uuid(), id, now() + interval '1 minute' from users;
insert into invitations (id, team_id, email, role, expires_at)
select gen_random_uuid(), id, 'over', 'member', now() - interval '1 second' from teams where slug = 'for-invitations';
insert into invitations (id, team_id, email, role, expires_at)
select gen_random_uuid(), id, 'kept', 'member', now() + interval '1 minute' from teams where slug = 'for-invitations';
insert into rate_limits (subject, paid_until) values ('over', now() - interval '1 second'), ('kept', now() + interval '1 minute');
"""


async def test_what_is_over_is_forgotten_and_nothing_else(conn: Connection, team_id: UUID) -> None:
    await create_key(conn, HOST, team_id, name="ci", permissions=["jobs:read"])
    await create_project(conn, HOST, team_id, name="Web", slug="web")
    await conn.execute(_FILL)
    before = {table: await conn.fetchval(f"select count(*) from {table}") for table in TABLES}
    for _ in range(2):
        await forget_sign_ins(conn)
        after = {table: await conn.fetchval(f"select count(*) from {table}") for table in TABLES}
        lost = {table: before[table] - after[table] for table in TABLES if before[table] != after[table]}
        assert lost == {"sign_in_codes": 2, "sessions": after["sessions"], "invitations": 1, "rate_limits": 1}
    assert await conn.fetchval("select array_agg(email) from sign_in_codes") == ["kept"]
    assert await conn.fetchval("select bool_and(expires_at > now()) from sessions")
    assert await conn.fetchval("select array_agg(email) from invitations") == ["kept"]
    assert await conn.fetchval("select array_agg(subject) from rate_limits") == ["kept"]


async def test_to_forget_waits_for_nobody_who_signs_in(conn: Connection, pool: Pool) -> None:
    await conn.execute(_FILL)
    async with pool.transaction() as other:
        await other.execute("select from sign_in_codes for update")
        await other.execute("select from rate_limits for update")
        await forget_sign_ins(conn)
        assert await conn.fetchval("select count(*) from sign_in_codes") == 3
    await forget_sign_ins(conn)
    assert await conn.fetchval("select count(*) from sign_in_codes") == 1


async def test_signing_in_again_goes_on_after_all_was_forgotten(conn: Connection) -> None:
    door = Door(conn)
    await door.sign_in()
    await conn.execute("update rate_limits set paid_until = now() - interval '1 second'")
    await forget_sign_ins(conn)
    assert not (await door.sign_in()).is_new_user
