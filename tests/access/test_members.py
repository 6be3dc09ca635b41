"""Who is in a team: roles are given and taken by those who may, and a team always has an owner."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import product
from uuid import UUID, uuid4

import pytest
from tests.access.door import SECRET
from tests.waiting import somebody_waits

from tawny.access import (
    PERMISSIONS,
    ROLES,
    Actor,
    Authenticator,
    Role,
    add_member,
    create_team,
    ensure_user,
    list_members,
    remove_member,
    set_role,
)
from tawny.access.users import roles_of_user
from tawny.db.pool import Connection, Pool
from tawny.errors import Conflict, Forbidden, InvalidRequest, NotFound, RequestError, Unauthenticated

AddUser = Callable[[Role], Awaitable[Actor]]
MakeKey = Callable[..., Awaitable[str]]
Change = Callable[[Connection, Actor, UUID], Awaitable[object]]
HOST = Actor.host()


async def olive(conn: Connection, team_id: UUID) -> Actor:
    """The owner that every team here begins with."""
    user_id = await ensure_user(conn, "olive@example.com")
    return Actor("user", user_id, {team_id: "owner"}, user_id=user_id)


async def role_of(conn: Connection, team_id: UUID, user_id: UUID) -> Role | None:
    return ((await roles_of_user(conn, user_id)) or {}).get(team_id)


async def undone(conn: Connection, work: Awaitable[object], then: Callable[[], Awaitable[object]]) -> object:
    """Do this in a transaction that is rolled back; return the code of its refusal, or what there was to see afterwards."""
    transaction = conn.transaction()
    await transaction.start()
    try:
        await work
        return await then()
    except RequestError as error:
        return error.code
    finally:
        await transaction.rollback()


async def test_members_are_listed_in_the_order_in_which_they_came(conn: Connection, team_id: UUID, add_user: AddUser) -> None:
    member, admin = await add_user("member"), await add_user("admin")
    members = await list_members(conn, member, team_id)
    assert [(m.email, m.role) for m in members] == [
        ("olive@example.com", "owner"),
        ("member@example.com", "member"),
        ("admin@example.com", "admin"),
    ]
    assert [m.user_id for m in members[1:]] == [member.id, admin.id]


async def test_strangers_see_no_members(conn: Connection, team_id: UUID) -> None:
    with pytest.raises(Forbidden) as refused:
        await list_members(conn, Actor("user", uuid4(), {uuid4(): "owner"}), team_id)
    assert refused.value.code == "not_a_member"


async def test_roles_are_given_by_admins_and_what_concerns_owners_by_owners(
    conn: Connection, team_id: UUID, add_user: AddUser
) -> None:
    actors = {role: await add_user(role) for role in ROLES}
    for own, old, new in product(ROLES, ROLES, ROLES):
        target = await add_member(conn, HOST, team_id, email=f"{own}-{old}-{new}@example.com", role=old)
        may = own == "owner" or (own == "admin" and "owner" not in (old, new))
        outcome = await undone(
            conn,
            set_role(conn, actors[own], team_id, target, new),
            partial(role_of, conn, team_id, target),
        )
        assert outcome == (new if may else "insufficient_role"), (own, old, new)


async def test_members_are_taken_out_by_admins_and_owners_by_owners(conn: Connection, team_id: UUID, add_user: AddUser) -> None:
    actors = {role: await add_user(role) for role in ROLES}
    for own, old in product(ROLES, ROLES):
        target = await add_member(conn, HOST, team_id, email=f"{own}-{old}@example.com", role=old)
        may = own == "owner" or (own == "admin" and old != "owner")
        outcome = await undone(conn, remove_member(conn, actors[own], team_id, target), partial(role_of, conn, team_id, target))
        assert outcome == (None if may else "insufficient_role"), (own, old)


async def test_what_comes_back_is_the_member_as_they_are_now(conn: Connection, team_id: UUID, add_user: AddUser) -> None:
    member = await add_user("member")
    changed = await set_role(conn, await add_user("admin"), team_id, member.id, "admin")
    assert changed in await list_members(conn, member, team_id)
    assert (changed.user_id, changed.email, changed.role) == (member.id, "member@example.com", "admin")


@pytest.mark.parametrize("role", ROLES)
async def test_everybody_may_leave(conn: Connection, team_id: UUID, add_user: AddUser, role: Role) -> None:
    actor = await add_user(role)
    await remove_member(conn, actor, team_id, actor.id)
    assert await roles_of_user(conn, actor.id) == {}


async def test_who_has_left_is_no_member_any_more(conn: Connection, team_id: UUID, add_user: AddUser) -> None:
    member, owner = await add_user("member"), await add_user("owner")
    await remove_member(conn, owner, team_id, member.id)
    for change in (set_role(conn, owner, team_id, member.id, "admin"), remove_member(conn, owner, team_id, member.id)):
        with pytest.raises(NotFound, match=r"^Member not found\.$"):
            await change


@pytest.mark.parametrize("role", ["Owner", "root", "", None, ["owner"]])
async def test_there_is_no_other_role(conn: Connection, team_id: UUID, add_user: AddUser, role: Role) -> None:
    member = await add_user("member")
    with pytest.raises(InvalidRequest) as refused:
        await set_role(conn, HOST, team_id, member.id, role)
    assert refused.value.code == "invalid_role"


async def test_the_members_of_another_team_are_out_of_reach(conn: Connection, team_id: UUID, add_user: AddUser) -> None:
    owner = await add_user("owner")
    other = await create_team(conn, HOST, name="Other", owner_email="o@example.com")
    await add_member(conn, HOST, other.team_id, email="two@example.com", role="owner")
    for user_id in (other.user_id, uuid4()):
        for change in (set_role(conn, owner, team_id, user_id, "member"), remove_member(conn, owner, team_id, user_id)):
            with pytest.raises(NotFound):
                await change
    for change in (
        set_role(conn, owner, other.team_id, other.user_id, "member"),
        remove_member(conn, owner, other.team_id, other.user_id),
        remove_member(conn, owner, other.team_id, owner.id),
    ):
        with pytest.raises(Forbidden) as refused:
            await change
        assert refused.value.code == "not_a_member"
    assert await roles_of_user(conn, other.user_id) == {other.team_id: "owner"}


async def test_keys_have_no_say_in_who_is_a_member(conn: Connection, team_id: UUID, add_user: AddUser) -> None:
    owner, member = await add_user("owner"), await add_user("member")
    key = Actor("api_key", owner.id, {team_id: "owner"}, frozenset(PERMISSIONS), owner.id)
    for ask in (
        list_members(conn, key, team_id),
        set_role(conn, key, team_id, member.id, "admin"),
        remove_member(conn, key, team_id, member.id),
        remove_member(conn, key, team_id, owner.id),
        add_member(conn, key, team_id, email="new@example.com", role="member"),
    ):
        with pytest.raises(Forbidden) as refused:
            await ask
        assert refused.value.code == "insufficient_permission"
    assert len(await list_members(conn, owner, team_id)) == 3


# The last owner


async def demote(conn: Connection, actor: Actor, user_id: UUID, *, to: Role = "admin") -> None:
    (team_id,) = actor.roles
    await set_role(conn, actor, team_id, user_id, to)


async def take_out(conn: Connection, actor: Actor, user_id: UUID) -> None:
    (team_id,) = actor.roles
    await remove_member(conn, actor, team_id, user_id)


CHANGES = [demote, partial(demote, to="member"), take_out]


@pytest.mark.parametrize("change", CHANGES, ids=["demote", "demote to member", "take out"])
async def test_the_last_owner_stays(conn: Connection, team_id: UUID, add_user: AddUser, change: Change) -> None:
    owner = await olive(conn, team_id)
    await add_user("admin")
    for actor in (owner, HOST):
        with pytest.raises(Conflict) as refused:
            await change(conn, Actor(actor.kind, actor.id, {team_id: "owner"}), owner.id)
        assert refused.value.code == "last_owner"
    assert await role_of(conn, team_id, owner.id) == "owner"
    await add_user("owner")
    await change(conn, owner, owner.id)


async def test_the_last_owner_may_be_made_an_owner_again(conn: Connection, team_id: UUID) -> None:
    owner = await olive(conn, team_id)
    assert (await set_role(conn, owner, team_id, owner.id, "owner")).role == "owner"


async def test_owners_of_other_teams_do_not_count(conn: Connection, team_id: UUID, add_user: AddUser) -> None:
    owner = await olive(conn, team_id)
    await create_team(conn, HOST, name="Other", owner_email="o@example.com")
    with pytest.raises(Conflict):
        await demote(conn, owner, owner.id)


@pytest.mark.parametrize(("one", "other"), [*product(CHANGES[::2], repeat=2)], ids=lambda change: change.__name__)
async def test_of_two_owners_who_act_on_each_other_at_once_one_stays(
    conn: Connection, pool: Pool, team_id: UUID, add_user: AddUser, one: Change, other: Change
) -> None:
    """The second begins before the first has committed, waits for that, and is then told what it would have done."""
    first, second = await olive(conn, team_id), await add_user("owner")

    async def act_second() -> None:
        async with pool.transaction() as own:
            await other(own, second, first.id)

    async with pool.transaction() as own:
        await one(own, first, second.id)
        task = asyncio.create_task(act_second())
        await somebody_waits(conn)
    with pytest.raises(Conflict) as refused:
        await task
    assert refused.value.code == "last_owner"
    assert await role_of(conn, team_id, first.id) == "owner"


async def test_of_many_owners_who_all_leave_at_once_one_stays(conn: Connection, pool: Pool, team_id: UUID) -> None:
    async def owner(number: int) -> Actor:
        user_id = await add_member(conn, HOST, team_id, email=f"o{number}@example.com", role="owner")
        return Actor("user", user_id, {team_id: "owner"}, user_id=user_id)

    owners = [await olive(conn, team_id), *[await owner(number) for number in range(7)]]

    async def leave(actor: Actor) -> str:
        try:
            async with pool.transaction() as own:
                await remove_member(own, actor, team_id, actor.id)
        except Conflict as conflict:
            return conflict.code
        return "left"

    assert sorted(await asyncio.gather(*map(leave, owners))) == ["last_owner"] + ["left"] * 7
    assert await conn.fetch("select role from memberships") == [("owner",)]


# What somebody leaves behind


async def test_the_keys_of_somebody_who_was_taken_out_end_for_good(
    conn: Connection, pool: Pool, team_id: UUID, add_user: AddUser, make_key: MakeKey
) -> None:
    """Also when they come back: nobody remembers by then what keys they had, nor who has them now."""
    owner, admin = await add_user("owner"), await add_user("admin")
    key, kept = await make_key(admin), await make_key(owner)

    async def is_good(text: str) -> bool:
        try:
            await Authenticator(pool, SECRET).actor(f"Bearer {text}")
        except Unauthenticated:
            return False
        return True

    assert await is_good(key)
    await remove_member(conn, owner, team_id, admin.id)
    assert not await is_good(key)
    assert await is_good(kept)
    await add_member(conn, HOST, team_id, email="admin@example.com", role="admin")
    assert not await is_good(key)


async def test_keys_in_other_teams_are_left_alone(
    conn: Connection, pool: Pool, team_id: UUID, add_user: AddUser, make_key: MakeKey
) -> None:
    admin = await add_user("admin")
    key = await make_key(admin)
    other = await create_team(conn, HOST, name="Other", owner_email="o@example.com")
    await add_member(conn, HOST, other.team_id, email="admin@example.com", role="admin")
    await remove_member(conn, HOST, other.team_id, admin.id)
    assert (await Authenticator(pool, SECRET).actor(f"Bearer {key}")).roles == {team_id: "admin"}
