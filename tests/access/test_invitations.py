"""Invitations: made by those who may, accepted by whoever has the address, and over after a week."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import product
from uuid import UUID, uuid4

import pytest

from tawny.access import (
    PERMISSIONS,
    ROLES,
    Actor,
    Role,
    accept,
    create_team,
    ensure_user,
    invite,
    list_invitations,
    my_invitations,
    withdraw,
)
from tawny.access.users import roles_of_user
from tawny.db.pool import Connection, Pool
from tawny.errors import Conflict, Forbidden, InvalidRequest, NotFound, RequestError, TooManyRequests

AddUser = Callable[[Role], Awaitable[Actor]]
HOST = Actor.host()
ANN = "ann@example.com"


async def person(conn: Connection, email: str) -> Actor:
    """Somebody of no team."""
    user_id = await ensure_user(conn, email)
    return Actor("user", user_id, user_id=user_id)


async def pass_time(conn: Connection, span: timedelta) -> None:
    await conn.execute("update invitations set expires_at = expires_at - $1::interval", span)


async def test_an_invitation_is_seen_by_the_team_and_by_the_address_and_makes_a_member(
    conn: Connection, team_id: UUID, add_user: AddUser
) -> None:
    admin, ann = await add_user("admin"), await person(conn, ANN)
    invitation = await invite(conn, admin, team_id, email="Ann@Example.com", role="admin")
    assert (invitation.team_id, invitation.team_name, invitation.email, invitation.role) == (team_id, "Acme", ANN, "admin")
    assert invitation.invited_by == admin.id
    assert round((invitation.expires_at - invitation.created_at).total_seconds()) == 7 * 86_400
    assert await list_invitations(conn, await add_user("member"), team_id) == [invitation]
    assert await my_invitations(conn, ann) == [invitation]
    assert await accept(conn, ann, invitation.id) == team_id
    assert await roles_of_user(conn, ann.id) == {team_id: "admin"}
    assert await list_invitations(conn, admin, team_id) == await my_invitations(conn, ann) == []


async def test_an_invitation_is_accepted_once(conn: Connection, team_id: UUID) -> None:
    invitation, ann = await invite(conn, HOST, team_id, email=ANN, role="member"), await person(conn, ANN)
    await accept(conn, ann, invitation.id)
    with pytest.raises(NotFound):
        await accept(conn, ann, invitation.id)


async def test_of_many_who_accept_at_once_one_does(conn: Connection, pool: Pool, team_id: UUID) -> None:
    invitation, ann = await invite(conn, HOST, team_id, email=ANN, role="member"), await person(conn, ANN)

    async def attempt(_: int) -> bool:
        try:
            async with pool.transaction() as own:
                await accept(own, ann, invitation.id)
        except NotFound:
            return False
        return True

    assert sum(await asyncio.gather(*map(attempt, range(8)))) == 1
    assert await roles_of_user(conn, ann.id) == {team_id: "member"}


async def test_nobody_accepts_what_was_sent_to_another_address(conn: Connection, team_id: UUID, add_user: AddUser) -> None:
    invitation = await invite(conn, HOST, team_id, email=ANN, role="owner")
    for actor in (await person(conn, "ben@example.com"), await add_user("admin"), Actor("user", uuid4())):
        assert await my_invitations(conn, actor) == []
        with pytest.raises(NotFound, match=r"^Invitation not found\.$"):
            await accept(conn, actor, invitation.id)
    with pytest.raises(NotFound, match=r"^Invitation not found\.$"):
        await accept(conn, await person(conn, ANN), uuid4())
    assert await list_invitations(conn, HOST, team_id) == [invitation]


async def test_inviting_again_renews_the_invitation_with_the_role_of_now(
    conn: Connection, team_id: UUID, add_user: AddUser
) -> None:
    first = await invite(conn, HOST, team_id, email=ANN, role="owner")
    await pass_time(conn, timedelta(days=6))
    admin = await add_user("admin")
    second = await invite(conn, admin, team_id, email="ANN@example.com", role="member")
    assert (second.id, second.created_at, second.invited_by) == (first.id, first.created_at, admin.id)
    assert second.role == "member"
    assert second.expires_at >= first.expires_at
    assert await list_invitations(conn, HOST, team_id) == [second]


async def test_an_expired_invitation_does_not_count_until_it_is_renewed(conn: Connection, team_id: UUID) -> None:
    invitation, ann = await invite(conn, HOST, team_id, email=ANN, role="member"), await person(conn, ANN)
    await pass_time(conn, timedelta(days=7))
    assert await list_invitations(conn, HOST, team_id) == await my_invitations(conn, ann) == []
    with pytest.raises(NotFound):
        await accept(conn, ann, invitation.id)
    assert await roles_of_user(conn, ann.id) == {}
    renewed = await invite(conn, HOST, team_id, email=ANN, role="member")
    assert await my_invitations(conn, ann) == [renewed]
    await accept(conn, ann, renewed.id)


async def test_an_invitation_is_withdrawn(conn: Connection, team_id: UUID, add_user: AddUser) -> None:
    invitation, ann = await invite(conn, HOST, team_id, email=ANN, role="member"), await person(conn, ANN)
    await withdraw(conn, await add_user("admin"), team_id, invitation.id)
    assert await my_invitations(conn, ann) == []
    for ask in (accept(conn, ann, invitation.id), withdraw(conn, HOST, team_id, invitation.id)):
        with pytest.raises(NotFound):
            await ask


async def test_a_team_sees_and_withdraws_its_own_only(conn: Connection, team_id: UUID) -> None:
    other = await create_team(conn, HOST, name="Other", owner_email="o@example.com")
    owner = Actor("user", other.user_id, {other.team_id: "owner"}, user_id=other.user_id)
    invitation = await invite(conn, HOST, team_id, email=ANN, role="member")
    assert await list_invitations(conn, owner, other.team_id) == []
    for invitation_id in (invitation.id, uuid4()):
        with pytest.raises(NotFound, match=r"^Invitation not found\.$"):
            await withdraw(conn, owner, other.team_id, invitation_id)
    for ask in (
        list_invitations(conn, owner, team_id),
        withdraw(conn, owner, team_id, invitation.id),
        invite(conn, owner, team_id, email="ben@example.com", role="member"),
    ):
        with pytest.raises(Forbidden) as refused:
            await ask
        assert refused.value.code == "not_a_member"
    assert await list_invitations(conn, HOST, team_id) == [invitation]


async def test_one_address_may_be_invited_to_several_teams(conn: Connection, team_id: UUID) -> None:
    other = (await create_team(conn, HOST, name="Other", owner_email="o@example.com")).team_id
    ann = await person(conn, ANN)
    for team in (team_id, other):
        await invite(conn, HOST, team, email=ANN, role="member")
    first, second = await my_invitations(conn, ann)
    assert (first.team_id, second.team_id) == (team_id, other)
    await accept(conn, ann, first.id)
    assert await my_invitations(conn, ann) == [second]


async def test_members_are_not_invited(conn: Connection, team_id: UUID, add_user: AddUser) -> None:
    await add_user("member")
    with pytest.raises(Conflict) as refused:
        await invite(conn, HOST, team_id, email="Member@example.com", role="owner")
    assert refused.value.code == "already_member"
    assert await list_invitations(conn, HOST, team_id) == []


async def test_an_invitation_changes_nothing_for_who_has_become_a_member_meanwhile(
    conn: Connection, team_id: UUID, add_user: AddUser
) -> None:
    invitation = await invite(conn, HOST, team_id, email="member@example.com", role="admin")
    member = await add_user("member")
    await accept(conn, member, invitation.id)
    assert await roles_of_user(conn, member.id) == {team_id: "member"}


async def test_nobody_invites_above_what_they_may_give(conn: Connection, team_id: UUID, add_user: AddUser) -> None:
    actors = {role: await add_user(role) for role in ROLES}
    for own, role in product(ROLES, ROLES):
        try:
            await invite(conn, actors[own], team_id, email=f"{own}.{role}@example.com", role=role)
            outcome = "invited"
        except RequestError as error:
            outcome = error.code
        may = own == "owner" or (own == "admin" and role != "owner")
        assert outcome == ("invited" if may else "insufficient_role"), (own, role)
    invitation, *_ = await list_invitations(conn, HOST, team_id)
    with pytest.raises(Forbidden):
        await withdraw(conn, actors["member"], team_id, invitation.id)


@pytest.mark.parametrize(("email", "role"), [("ann", "member"), ("a@b,c@d", "member"), (ANN, "Owner"), (ANN, ""), (ANN, None)])
async def test_bad_addresses_and_roles_are_refused(conn: Connection, team_id: UUID, email: str, role: Role) -> None:
    with pytest.raises(InvalidRequest):
        await invite(conn, HOST, team_id, email=email, role=role)
    assert await conn.fetchval("select count(*) from invitations") == 0


async def test_keys_neither_invite_nor_accept(conn: Connection, team_id: UUID, add_user: AddUser) -> None:
    owner = await add_user("owner")
    invitation = await invite(conn, HOST, team_id, email=ANN, role="member")
    key = Actor("api_key", (await person(conn, ANN)).id, {team_id: "owner"}, frozenset(PERMISSIONS), owner.id)
    for ask in (
        list_invitations(conn, key, team_id),
        invite(conn, key, team_id, email="ben@example.com", role="member"),
        withdraw(conn, key, team_id, invitation.id),
        my_invitations(conn, key),
        accept(conn, key, invitation.id),
    ):
        with pytest.raises(Forbidden) as refused:
            await ask
        assert refused.value.code == "insufficient_permission"
    assert await list_invitations(conn, owner, team_id) == [invitation]


async def test_a_team_invites_a_hundred_a_day(conn: Connection, team_id: UUID) -> None:
    await invite(conn, HOST, team_id, email=ANN, role="member")
    assert await conn.fetchval("select subject from rate_limits") == f"invitations:{team_id}"
    await conn.execute("update rate_limits set paid_until = now() + interval '1 day' - interval '15 minutes'")
    await invite(conn, HOST, team_id, email="ben@example.com", role="member")
    with pytest.raises(TooManyRequests, match="has sent many invitations") as refused:
        await invite(conn, HOST, team_id, email="cas@example.com", role="member")
    assert 0 < refused.value.details["retry_after"] <= 864


async def test_there_is_no_other_team(conn: Connection, team_id: UUID) -> None:
    with pytest.raises(NotFound) as refused:
        await invite(conn, HOST, uuid4(), email=ANN, role="member")
    assert refused.value.code == "team_not_found"
