"""Who is in a team, and as what."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from tests.waiting import until

from api.world import World, is_time, refusal, serve

FIELDS = {"user_id", "email", "role", "joined_at"}


def path(world: World, rest: str = "", team_id: Any = None) -> str:
    return f"/v1/teams/{team_id or world.team_id}/members{rest}"


async def listed(world: World, as_: str) -> list[dict[str, Any]]:
    answer = await world.send("GET", path(world), as_=as_)
    assert answer.status_code == 200
    assert list(answer.json()) == ["members"]
    members: list[dict[str, Any]] = answer.json()["members"]
    assert all(set(member) == FIELDS for member in members)
    return members


async def roles(world: World) -> dict[str, str]:
    return {member["user_id"]: member["role"] for member in await listed(world, await world.token(world.owner_id))}


async def set_role(world: World, as_: str | None, user_id: Any, team_id: Any = None, **body: Any) -> httpx.Response:
    return await world.send("PATCH", path(world, f"/{user_id}", team_id), as_=as_, json=body)


async def remove(world: World, as_: str | None, user_id: Any, team_id: Any = None) -> httpx.Response:
    return await world.send("DELETE", path(world, f"/{user_id}", team_id), as_=as_)


async def test_members_are_listed_in_the_order_in_which_they_came(world: World) -> None:
    admin, member = await world.add_user("admin"), await world.add_user("member")
    members = await listed(world, await world.token(member.id))
    assert all(is_time(found.pop("joined_at")) for found in members)
    assert members == [
        {"user_id": str(user_id), "email": await world.address_of(user_id), "role": role}
        for user_id, role in ((world.owner_id, "owner"), (admin.id, "admin"), (member.id, "member"))
    ]


async def test_a_role_is_changed(world: World) -> None:
    admin, member = await world.add_user("admin"), await world.add_user("member")
    answer = await set_role(world, await world.token(admin.id), member.id, role="admin")
    assert (answer.status_code, set(answer.json())) == (200, FIELDS)
    assert (answer.json()["user_id"], answer.json()["role"]) == (str(member.id), "admin")
    assert (await roles(world))[str(member.id)] == "admin"
    row = await world.conn.fetchrow("select changes::text, resource_id from audit_log where action = 'update'")
    assert (row["changes"], row["resource_id"]) == ('{"role": {"after": "admin", "before": "member"}}', member.id)


@pytest.mark.slow
async def test_another_role_holds_for_the_user_and_their_keys_within_a_second(
    world: World, database_url: str, tmp_path: Path
) -> None:
    user = await world.add_user("admin")
    credentials = [await world.token(user.id), await world.add_key(maker=user)]
    with serve(database_url, tmp_path) as second:
        urls = [f"{url}/v1/teams/{world.team_id}/jobs" for url in (world.served.url, second.url)]

        async def statuses() -> set[int]:
            answers = [
                await world.http.get(url, headers={"authorization": f"Bearer {credential}"})
                for url in urls
                for credential in credentials
            ]
            return {answer.status_code for answer in answers}

        async def becomes(status: int) -> None:
            async def has() -> bool:
                return await statuses() == {status}

            async with asyncio.timeout(1):
                await until(has, f"a {status} for everything that this user has")

        owner = await world.token(world.owner_id)
        assert await statuses() == {200}
        assert (await set_role(world, owner, user.id, role="member")).status_code == 200
        await becomes(403)
        assert (await set_role(world, owner, user.id, role="admin")).status_code == 200
        await becomes(200)


@pytest.mark.slow
async def test_who_is_removed_is_out_with_their_keys_within_a_second(world: World) -> None:
    user = await world.add_user("admin")
    token, key = await world.token(user.id), await world.add_key(maker=user)
    assert [(await world.list(as_=as_)).status_code for as_ in (token, key)] == [200, 200]
    answer = await remove(world, await world.token_of("admin"), user.id)
    assert (answer.status_code, answer.json()) == (200, {"removed": True})

    async def out() -> bool:
        return [(await world.list(as_=as_)).status_code for as_ in (token, key)] == [403, 401]

    async with asyncio.timeout(1):
        await until(out, "the refusal of somebody who was removed, and of their key")
    assert str(user.id) not in await roles(world)
    assert await world.audited() == ["create api_key", "delete member"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "missing_field"),
        ({"role": None}, "invalid_field"),
        ({"role": "Owner"}, "invalid_field"),
        ({"role": "root"}, "invalid_field"),
        ({"role": ["owner"]}, "invalid_field"),
        ({"role": "member", "team_id": str(uuid4())}, "unknown_field"),
        ({"role": "member", "email": "a@example.com"}, "unknown_field"),
    ],
)
async def test_a_wrong_role_is_refused_by_name(world: World, body: dict[str, Any], code: str) -> None:
    user = await world.add_user("admin")
    answer = await world.send("PATCH", path(world, f"/{user.id}"), as_=await world.token(world.owner_id), json=body)
    assert refusal(answer) == (400, code)
    assert (await roles(world))[str(user.id)] == "admin"


async def test_only_owners_make_owners_and_unmake_them(world: World) -> None:
    admin, member, second = await world.add_user("admin"), await world.add_user("member"), await world.add_user("owner")
    token = await world.token(admin.id)
    refused = [
        await set_role(world, token, member.id, role="owner"),
        await set_role(world, token, admin.id, role="owner"),
        await set_role(world, token, second.id, role="member"),
        await set_role(world, token, second.id, role="owner"),
        await remove(world, token, second.id),
    ]
    assert {refusal(answer) for answer in refused} == {(403, "insufficient_role")}
    owner = await world.token(world.owner_id)
    assert (await set_role(world, owner, member.id, role="owner")).status_code == 200
    assert (await set_role(world, owner, second.id, role="member")).status_code == 200
    assert (await remove(world, owner, member.id)).status_code == 200


async def test_the_last_owner_stays(world: World) -> None:
    owner = await world.token(world.owner_id)
    refused = [
        await set_role(world, owner, world.owner_id, role="admin"),
        await set_role(world, owner, world.owner_id, role="member"),
        await remove(world, owner, world.owner_id),
    ]
    assert {refusal(answer) for answer in refused} == {(409, "last_owner")}
    assert (await roles(world))[str(world.owner_id)] == "owner"
    assert (await set_role(world, owner, world.owner_id, role="owner")).status_code == 200
    await world.add_user("owner")
    assert (await remove(world, owner, world.owner_id)).status_code == 200


async def test_two_owners_who_step_down_at_once_leave_one(world: World) -> None:
    second = await world.add_user("owner")
    ids: list[UUID] = [world.owner_id, second.id]
    tokens = [await world.token(user_id) for user_id in ids]
    for _ in range(5):
        answers = await asyncio.gather(*(remove(world, token, user_id) for token, user_id in zip(tokens, ids, strict=True)))
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        gone = ids[[answer.status_code for answer in answers].index(200)]
        await world.conn.execute("insert into memberships (team_id, user_id, role) values ($1, $2, 'owner')", world.team_id, gone)


async def test_everybody_may_leave(world: World) -> None:
    for role in ("member", "admin"):
        user = await world.add_user(role)
        other = await world.add_user("member")
        token = await world.token(user.id)
        if role == "member":
            assert refusal(await remove(world, token, other.id)) == (403, "insufficient_role")
        assert (await remove(world, token, user.id)).status_code == 200
        assert str(user.id) not in await roles(world)


async def test_unknown_foreign_and_malformed_users_are_the_same_404(world: World) -> None:
    owner = await world.token(world.owner_id)
    other_team, stranger = await world.add_team()
    for ask in (lambda who: set_role(world, owner, who, role="member"), lambda who: remove(world, owner, who)):
        answers = [await ask(who) for who in (uuid4(), stranger, "nope")]
        assert {(answer.status_code, answer.content) for answer in answers} == {(404, answers[0].content)}
    assert await world.conn.fetchval("select role from memberships where team_id = $1", other_team) == "owner"


async def test_a_key_cannot_look_at_members(world: World) -> None:
    user = await world.add_user("member")
    answers = [
        await world.send("GET", path(world)),
        await set_role(world, world.key, user.id, role="admin"),
        await remove(world, world.key, user.id),
    ]
    assert {refusal(answer) for answer in answers} == {(403, "insufficient_permission")}


async def test_the_order_of_checks_is_credential_role_request_object(world: World) -> None:
    other_team, stranger = await world.add_team()
    member, admin = await world.token_of("member"), await world.token_of("admin")
    assert (await set_role(world, None, "nope", role="?")).status_code == 401
    assert refusal(await set_role(world, world.key, "nope", role="?")) == (403, "insufficient_permission")
    assert refusal(await set_role(world, member, "nope", role="?")) == (403, "insufficient_role")
    for team_id in (other_team, uuid4(), "nope"):
        assert refusal(await set_role(world, admin, stranger, team_id, role="?")) == (403, "not_a_member")
        assert refusal(await remove(world, admin, stranger, team_id)) == (403, "not_a_member")
    assert refusal(await set_role(world, admin, "nope", role="?")) == (400, "invalid_field")
    assert (await set_role(world, admin, "nope", role="member")).status_code == 404
