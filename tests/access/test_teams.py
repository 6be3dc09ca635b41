"""Teams, users and members."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import pytest

from tawny.access import Actor, Role, add_member, create_team, ensure_user, find_user, list_teams
from tawny.access.names import check_slug
from tawny.access.users import roles_of_user
from tawny.db.pool import Connection, Pool
from tawny.errors import Conflict, Forbidden, InvalidRequest, NotFound

AddUser = Callable[[Role], Awaitable[Actor]]
HOST = Actor.host()


async def test_a_new_team_has_its_owner(conn: Connection) -> None:
    made = await create_team(conn, HOST, name="Café Zoë", owner_email="Olive@Example.com")
    assert made.slug == "cafe-zoe"
    assert await roles_of_user(conn, made.user_id) == {made.team_id: "owner"}
    user = await find_user(conn, made.user_id)
    assert user is not None
    assert user.email == "olive@example.com"


async def test_an_owner_can_have_two_teams(conn: Connection) -> None:
    first = await create_team(conn, HOST, name="One", owner_email="olive@example.com")
    second = await create_team(conn, HOST, name="Two", owner_email="OLIVE@example.com")
    assert first.user_id == second.user_id
    assert await roles_of_user(conn, first.user_id) == {first.team_id: "owner", second.team_id: "owner"}


async def test_teams_of_one_name_get_different_slugs(conn: Connection) -> None:
    name = "x" * 200
    slugs = [(await create_team(conn, HOST, name=name, owner_email="olive@example.com")).slug for _ in range(3)]
    assert slugs[0] == "x" * 64
    assert len(set(map(check_slug, slugs))) == 3


async def test_teams_made_at_once_get_different_slugs(pool: Pool) -> None:
    async def make(number: int) -> str:
        async with pool.transaction() as conn:
            return (await create_team(conn, HOST, name="Acme", owner_email=f"o{number}@example.com")).slug

    slugs = await asyncio.gather(*map(make, range(5)))
    assert len(set(slugs)) == 5
    assert "acme" in slugs


async def test_only_the_host_makes_teams(conn: Connection, add_user: AddUser) -> None:
    with pytest.raises(Forbidden):
        await create_team(conn, await add_user("owner"), name="Mine", owner_email="me@example.com")
    assert await conn.fetchval("select count(*) from teams") == 1


async def test_a_team_with_a_bad_name_or_owner_is_not_made(conn: Connection) -> None:
    for name, email in (("", "a@example.com"), ("Acme", "a@b,c@d")):
        with pytest.raises(InvalidRequest):
            await create_team(conn, HOST, name=name, owner_email=email)
    assert await conn.fetchval("select (select count(*) from teams) + (select count(*) from users)") == 0


async def test_a_name_with_a_nul_is_stored_clean(conn: Connection) -> None:
    made = await create_team(conn, HOST, name="Ac\0me\ud800", owner_email="olive@example.com")
    assert await conn.fetchval("select name from teams where id = $1", made.team_id) == "Acme"


async def test_one_address_is_one_user_whatever_its_case(conn: Connection) -> None:
    assert await ensure_user(conn, "ann@example.com") == await ensure_user(conn, "ANN@example.COM")


async def test_two_who_make_one_user_at_once_get_the_same(pool: Pool) -> None:
    async def make(_: int) -> UUID:
        async with pool.transaction() as conn:
            return await ensure_user(conn, "ann@example.com")

    assert len(set(await asyncio.gather(*map(make, range(8))))) == 1


async def test_somebody_who_waits_for_the_same_new_user_gets_it(conn: Connection, pool: Pool) -> None:
    """The interleaving in which the second statement began before the first one was committed."""
    async with pool.acquire() as other:
        first = other.transaction()
        await first.start()
        user_id = await ensure_user(other, "ann@example.com")
        second = asyncio.create_task(ensure_user(conn, "ann@example.com"))
        async with asyncio.timeout(5), pool.acquire() as observer:
            while not await observer.fetchval("select exists (select from pg_locks where not granted)"):
                await asyncio.sleep(0.01)
        await first.commit()
        assert await second == user_id


async def test_there_is_no_user_with_another_id(conn: Connection) -> None:
    assert await find_user(conn, uuid4()) is None
    assert await roles_of_user(conn, uuid4()) is None


async def test_a_user_of_no_team_exists(conn: Connection) -> None:
    assert await roles_of_user(conn, await ensure_user(conn, "ann@example.com")) == {}


@pytest.mark.parametrize(
    ("actor_role", "role"), [("admin", "member"), ("admin", "admin"), ("owner", "owner"), ("owner", "member")]
)
async def test_members_are_added(conn: Connection, team_id: UUID, add_user: AddUser, actor_role: Role, role: Role) -> None:
    user_id = await add_member(conn, await add_user(actor_role), team_id, email="new@example.com", role=role)
    assert await roles_of_user(conn, user_id) == {team_id: role}


@pytest.mark.parametrize(("actor_role", "role"), [("member", "member"), ("member", "owner"), ("admin", "owner")])
async def test_nobody_adds_above_their_own_role(
    conn: Connection, team_id: UUID, add_user: AddUser, actor_role: Role, role: Role
) -> None:
    with pytest.raises(Forbidden) as refused:
        await add_member(conn, await add_user(actor_role), team_id, email="new@example.com", role=role)
    assert refused.value.code == "insufficient_role"
    assert await conn.fetchval("select count(*) from users where email = 'new@example.com'") == 0


async def test_a_member_is_not_added_again_and_keeps_the_role(conn: Connection, team_id: UUID, add_user: AddUser) -> None:
    owner = await add_user("owner")
    with pytest.raises(Conflict) as refused:
        await add_member(conn, HOST, team_id, email="owner@example.com", role="member")
    assert refused.value.code == "already_member"
    assert await roles_of_user(conn, owner.id) == {team_id: "owner"}


@pytest.mark.parametrize("role", ["Owner", "root", "", None, ["owner"]])
async def test_there_is_no_other_role(conn: Connection, team_id: UUID, role: Role) -> None:
    with pytest.raises(InvalidRequest):
        await add_member(conn, HOST, team_id, email="new@example.com", role=role)


async def test_there_is_no_other_team(conn: Connection, team_id: UUID, add_user: AddUser) -> None:
    with pytest.raises(NotFound):
        await add_member(conn, HOST, uuid4(), email="new@example.com", role="member")
    with pytest.raises(Forbidden):
        await add_member(conn, await add_user("owner"), uuid4(), email="new@example.com", role="member")


async def test_everybody_sees_their_own_teams_and_roles(conn: Connection, team_id: UUID, add_user: AddUser) -> None:
    await create_team(conn, HOST, name="Others", owner_email="somebody@example.com")
    (team,) = await list_teams(conn, await add_user("member"))
    assert (team.id, team.name, team.slug, team.role) == (team_id, "Acme", "acme", "member")
