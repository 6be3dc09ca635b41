"""Signing in by a code: people get a session, agents a key, and nobody learns which addresses exist."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import pytest
from tests.access.door import ANN, CLIENT, SECRET, Door
from tests.conftest import TABLES

from tawny.access import (
    PERMISSIONS,
    ROLES,
    Actor,
    Attempt,
    Authenticator,
    Role,
    TeamRequired,
    add_member,
    agent_login,
    create_team,
    ensure_user,
    invite,
    permissions_of,
    read_token,
    verify_code,
)
from tawny.access.codes import make_code
from tawny.access.users import roles_of_user
from tawny.db.pool import Connection, Pool
from tawny.errors import Forbidden, InvalidRequest

AddUser = Callable[[Role], Awaitable[Actor]]
HOST = Actor.host()


@pytest.fixture
def door(conn: Connection) -> Door:
    return Door(conn)


@pytest.fixture
def closed(conn: Connection) -> Door:
    """Nobody may sign up here."""
    return Door(conn, signup=False)


async def new_team(conn: Connection, name: str) -> UUID:
    return (await create_team(conn, HOST, name=name, owner_email="olive@example.com")).team_id


async def footprint(conn: Connection) -> dict[str, int]:
    """How many rows there are in each table."""
    return {table: await conn.fetchval(f"select count(*) from {table}") for table in TABLES}


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


# A code is asked for


@pytest.fixture
async def addresses(conn: Connection, team_id: UUID) -> dict[str, str]:
    """One of each kind."""
    await ensure_user(conn, "known@example.com")
    await invite(conn, HOST, team_id, email="invited@example.com", role="member")
    return {kind: f"{kind}@example.com" for kind in ("known", "invited", "unknown")}


@pytest.mark.parametrize("signup", [True, False])
async def test_a_code_leaves_the_same_rows_for_every_address(conn: Connection, addresses: dict[str, str], signup: bool) -> None:
    door, left, rows = Door(conn, signup), set(), set()
    for number, email in enumerate(addresses.values()):
        before = await footprint(conn)
        await door.send(email, client=f"192.0.2.{number}")
        after = await footprint(conn)
        left.add(tuple((table, after[table] - before[table]) for table in TABLES))
        row = await conn.fetchrow("select * from sign_in_codes where email = $1", email)
        rows.add((len(row["code_hash"]), row["tries"]))
    assert [sorted(dict(kind).items()) for kind in left] == [
        sorted({**dict.fromkeys(TABLES, 0), "sign_in_codes": 1, "rate_limits": 2}.items())
    ]
    assert rows == {(32, 0)}


@pytest.mark.parametrize("signup", [True, False])
async def test_a_code_costs_the_same_statements_for_every_address(
    conn: Connection, addresses: dict[str, str], signup: bool
) -> None:
    door = Door(conn, signup)
    await door.send("first@example.com")  # asyncpg gets to know the statements
    asked = []
    for email in addresses.values():
        statements: list[str] = []
        with conn.query_logger(lambda record, seen=statements: seen.append(record.query)):
            await door.send(email)
            await asyncio.sleep(0)  # the logger is called in a turn of its own
        asked.append(statements)
    assert asked[0] == asked[1] == asked[2]
    assert len(asked[0]) == 6, "begin, two limits, the code, whether to mail it, commit"


@pytest.mark.parametrize(("signup", "mailed"), [(True, {"known", "invited", "unknown"}), (False, {"known", "invited"})])
async def test_a_code_is_mailed_to_those_who_may_sign_in(
    conn: Connection, addresses: dict[str, str], signup: bool, mailed: set[str]
) -> None:
    door = Door(conn, signup)
    assert {kind for kind, email in addresses.items() if await door.send(email) is not None} == mailed


async def test_an_invitation_that_has_expired_is_none(conn: Connection, closed: Door, addresses: dict[str, str]) -> None:
    await conn.execute("update invitations set expires_at = now()")
    assert await closed.send(addresses["invited"]) is None
    assert await closed.verify(await closed.code(addresses["invited"]), addresses["invited"]) is None


async def test_an_address_is_written_in_lower_case(conn: Connection, door: Door) -> None:
    made = await door.send("Ann@Example.COM")
    assert made is not None
    assert made[0] == ANN
    signed_in = await door.verify(made[1], "ANN@example.com")
    assert signed_in is not None
    assert signed_in.user.email == ANN


async def test_what_is_no_address_leaves_nothing(conn: Connection, door: Door) -> None:
    before = await footprint(conn)
    for ask in (door.send("ann"), door.verify("123456", "a@b,c@d"), door.agent("123456", "Ann <ann@example.com>")):
        with pytest.raises(InvalidRequest) as refused:
            await ask
        assert refused.value.code == "invalid_email"
    assert await footprint(conn) == before


# People


async def test_a_new_user_gets_a_team_of_their_own(conn: Connection, door: Door) -> None:
    signed_in = await door.sign_in()
    assert signed_in.is_new_user
    assert signed_in.user.email == ANN
    (team,) = signed_in.teams
    assert (team.name, team.slug, team.role) == ("Ann's team", "ann-s-team", "owner")
    assert await roles_of_user(conn, signed_in.user.id) == {team.id: "owner"}


@pytest.mark.parametrize("local", ["ann", "o'neil", "-", "+", "{}|~", "a" * 64, "a.b-c_d+e", "7"])
async def test_every_address_makes_a_team_with_a_name_and_a_free_slug(conn: Connection, door: Door, local: str) -> None:
    slugs = [(await door.sign_in(f"{local}@{domain}.example")).teams[0].slug for domain in ("one", "two", "three")]
    assert len(set(slugs)) == 3
    assert all(1 <= len(slug) <= 64 for slug in slugs)


async def test_a_session_lets_its_user_in(conn: Connection, door: Door, authenticator: Authenticator) -> None:
    signed_in = await door.sign_in()
    token = read_token(SECRET, signed_in.token)
    assert token.user_id == signed_in.user.id
    assert await conn.fetchval("select user_id from sessions where id = $1", token.session_id) == signed_in.user.id
    actor = await authenticator.actor(f"Bearer {signed_in.token}")
    assert (actor.kind, actor.id, actor.session_id) == ("user", signed_in.user.id, token.session_id)
    assert actor.roles == {signed_in.teams[0].id: "owner"}


async def test_a_session_of_a_person_lasts_seven_days_and_twelve_hours_unused(conn: Connection, door: Door) -> None:
    await door.sign_in()
    lasts, idle = await conn.fetchrow("select expires_at - created_at, idle from sessions")
    assert round(lasts.total_seconds()) == 7 * 86_400
    assert idle.total_seconds() == 12 * 3600


async def test_who_signs_in_again_is_not_new_and_keeps_the_team(conn: Connection, door: Door) -> None:
    first, second = await door.sign_in(), await door.sign_in("ANN@EXAMPLE.COM")
    assert not second.is_new_user
    assert second.user == first.user
    assert second.teams == first.teams
    assert second.token != first.token
    assert await conn.fetchval("select count(*) from sessions") == 2


async def test_a_wrong_code_lets_nobody_in_and_is_counted(conn: Connection, door: Door) -> None:
    code = await door.code()
    assert await door.verify(wrong(code)) is None
    assert await door.agent(wrong(code)) is None
    assert await conn.fetchval("select tries from sign_in_codes") == 2
    assert (await footprint(conn))["users"] == 0
    assert await door.verify(code) is not None


async def test_a_code_is_good_for_a_session_or_a_key(conn: Connection, door: Door) -> None:
    code = await door.code()
    assert await door.verify(code) is not None
    assert await door.agent(code) is None
    code = await door.code()
    assert await door.agent(code) is not None
    assert await door.verify(code) is None


async def test_nobody_signs_up_where_that_is_off(conn: Connection, closed: Door) -> None:
    """Even somebody who guessed the code that was never mailed; it is used up by that."""
    before = await footprint(conn)
    code = await closed.code()
    assert await closed.verify(code) is None
    assert await Door(conn).verify(code) is None
    assert await closed.agent(await closed.code()) is None
    after = await footprint(conn)
    assert {table for table in TABLES if after[table] != before[table]} == {"sign_in_codes", "rate_limits"}


@pytest.mark.parametrize("signup", [True, False])
async def test_a_new_user_joins_the_teams_that_invited_them_and_gets_no_other(conn: Connection, signup: bool) -> None:
    roles: dict[UUID, Role] = {await new_team(conn, "One"): "admin", await new_team(conn, "Two"): "owner"}
    for team_id, role in roles.items():
        await invite(conn, HOST, team_id, email=ANN, role=role)
    await invite(conn, HOST, await new_team(conn, "Three"), email="ben@example.com", role="owner")
    signed_in = await Door(conn, signup).sign_in()
    assert signed_in.is_new_user
    assert {team.id: team.role for team in signed_in.teams} == roles
    assert await conn.fetchval("select count(*) from teams") == 3
    assert await conn.fetchval("select array_agg(email) from invitations") == ["ben@example.com"]
    joined = await conn.fetch("select team_id, actor_id, resource_id from audit_log where resource_type = 'member'")
    assert {tuple(row) for row in joined} == {(team_id, signed_in.user.id, signed_in.user.id) for team_id in roles}


async def test_who_is_in_a_team_already_accepts_invitations_by_hand(conn: Connection, door: Door, team_id: UUID) -> None:
    first = await door.sign_in()
    await invite(conn, HOST, team_id, email=ANN, role="admin")
    assert (await door.sign_in()).teams == first.teams
    assert await conn.fetchval("select count(*) from invitations") == 1


@pytest.mark.parametrize(("signup", "teams"), [(True, 1), (False, 0)])
async def test_a_user_of_no_team_signs_in(conn: Connection, signup: bool, teams: int) -> None:
    user_id = await ensure_user(conn, ANN)
    signed_in = await Door(conn, signup).sign_in()
    assert not signed_in.is_new_user
    assert signed_in.user.id == user_id
    assert len(signed_in.teams) == teams


async def test_of_a_hundred_who_sign_in_with_one_code_at_once_one_gets_a_session(conn: Connection, pool: Pool) -> None:
    code = await make_code(conn, SECRET, ANN)

    async def attempt(number: int) -> bool:
        async with pool.transaction() as own:
            return await verify_code(own, SECRET, Attempt(ANN, code, f"client {number}"), signup=True) is not None

    assert sum(await asyncio.gather(*map(attempt, range(100)))) == 1
    counts = await footprint(conn)
    assert {table: counts[table] for table in ("sessions", "users", "teams", "memberships", "audit_log")} == {
        "sessions": 1,
        "users": 1,
        "teams": 1,
        "memberships": 1,
        "audit_log": 1,
    }


async def test_of_a_hundred_agents_with_one_code_at_once_one_gets_a_key(conn: Connection, pool: Pool) -> None:
    code = await make_code(conn, SECRET, ANN)

    async def attempt(number: int) -> bool:
        async with pool.transaction() as own:
            attempt = Attempt(ANN, code, f"client {number}")
            return await agent_login(own, SECRET, attempt, team_id=None, signup=True) is not None

    assert sum(await asyncio.gather(*map(attempt, range(100)))) == 1
    counts = await footprint(conn)
    assert (counts["api_keys"], counts["sessions"], counts["teams"]) == (1, 0, 1)


async def test_two_who_sign_up_from_one_name_at_once_get_two_teams(conn: Connection, pool: Pool) -> None:
    async def sign_up(number: int) -> str:
        email = f"ann@{number}.example"
        async with pool.transaction() as own:
            code = await make_code(own, SECRET, email)
            signed_in = await verify_code(own, SECRET, Attempt(email, code, f"client {number}"), signup=True)
        assert signed_in is not None
        return signed_in.teams[0].slug

    assert len(set(await asyncio.gather(*map(sign_up, range(8))))) == 8


# Agents


async def test_an_agent_of_a_user_of_one_team_gets_a_key_of_it(
    conn: Connection, door: Door, team_id: UUID, authenticator: Authenticator
) -> None:
    user_id = await add_member(conn, HOST, team_id, email=ANN, role="admin")
    signed_in = await door.agent(await door.code())
    assert signed_in is not None
    assert (signed_in.team.id, signed_in.team.role) == (team_id, "admin")
    assert signed_in.api_key not in repr(signed_in)
    actor = await authenticator.actor(f"Bearer {signed_in.api_key}")
    assert (actor.kind, actor.roles, actor.user_id) == ("api_key", {team_id: "admin"}, user_id)


@pytest.mark.parametrize("role", ROLES)
async def test_an_agents_key_may_do_all_that_the_role_allows(conn: Connection, door: Door, team_id: UUID, role: Role) -> None:
    await add_member(conn, HOST, team_id, email=ANN, role=role)
    assert await door.agent(await door.code()) is not None
    granted = await conn.fetchval("select permissions from api_keys")
    assert granted == [permission for permission in PERMISSIONS if permission in permissions_of(role)]
    assert "system:read" not in granted


async def test_an_agent_of_a_new_user_gets_a_key_of_their_new_team(conn: Connection, door: Door) -> None:
    signed_in = await door.agent(await door.code())
    assert signed_in is not None
    assert (signed_in.team.name, signed_in.team.role) == ("Ann's team", "owner")


async def test_an_agent_of_a_user_of_several_teams_is_told_them_and_may_choose(conn: Connection, door: Door) -> None:
    one, two = await new_team(conn, "One"), await new_team(conn, "Two")
    for team_id, role in ((one, "owner"), (two, "member")):
        await add_member(conn, HOST, team_id, email=ANN, role=role)
    code = await door.code()
    with pytest.raises(TeamRequired) as refused:
        await door.agent(code)
    assert refused.value.code == "team_required"
    assert refused.value.details["teams"] == [
        {"id": str(one), "name": "One", "slug": "one", "role": "owner"},
        {"id": str(two), "name": "Two", "slug": "two", "role": "member"},
    ]
    assert await conn.fetchval("select count(*) from api_keys") == 0
    signed_in = await door.agent(code, team_id=two)
    assert signed_in is not None
    assert (signed_in.team.id, signed_in.team.role) == (two, "member")
    assert await conn.fetchval("select team_id from api_keys") == two


async def test_an_agent_gets_no_key_of_a_team_that_its_user_is_not_in(conn: Connection, door: Door, team_id: UUID) -> None:
    other = await new_team(conn, "Other")
    await add_member(conn, HOST, team_id, email=ANN, role="owner")
    code = await door.code()
    for foreign in (other, uuid4()):
        with pytest.raises(Forbidden) as refused:
            await door.agent(code, team_id=foreign)
        assert refused.value.code == "not_a_member"
    assert await conn.fetchval("select count(*) from api_keys") == 0
    signed_in = await door.agent(code, team_id=team_id)
    assert signed_in is not None, "the code was good all along"


async def test_a_wrong_code_tells_nothing_of_the_teams(conn: Connection, door: Door) -> None:
    for name in ("One", "Two"):
        await add_member(conn, HOST, await new_team(conn, name), email=ANN, role="owner")
    code = await door.code()
    assert await door.agent(wrong(code)) is None
    assert await door.agent(wrong(code), team_id=uuid4()) is None
    assert await conn.fetchval("select tries from sign_in_codes") == 2


async def test_an_agent_of_a_user_of_no_team_is_told_so(conn: Connection, closed: Door) -> None:
    await ensure_user(conn, ANN)
    with pytest.raises(Forbidden) as refused:
        await closed.agent(await closed.code())
    assert refused.value.code == "not_a_member"


async def test_neither_a_code_nor_a_token_shows_in_what_is_printed(conn: Connection, door: Door) -> None:
    code = await door.code()
    assert code not in repr(Attempt(ANN, code, CLIENT))
    signed_in = await door.verify(code)
    assert signed_in is not None
    assert signed_in.token not in repr(signed_in)
