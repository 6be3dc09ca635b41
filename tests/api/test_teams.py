"""GET /v1/teams."""

from __future__ import annotations

from uuid import UUID

from api.world import World, refusal
from tawny.access import Actor, add_member


async def listed(world: World, as_: str) -> list[dict[str, str]]:
    answer = await world.send("GET", "/v1/teams", as_=as_)
    assert answer.status_code == 200
    assert list(answer.json()) == ["teams"]
    teams: list[dict[str, str]] = answer.json()["teams"]
    assert all(set(team) == {"id", "name", "slug", "role"} for team in teams)
    return teams


async def test_a_user_sees_their_teams_with_the_role_in_each_oldest_first(world: World) -> None:
    user = await world.add_user("member")
    others: list[UUID] = []
    for role in ("admin", "owner"):
        others.append((await world.add_team())[0])
        await add_member(world.conn, Actor.host(), others[-1], email=await world.address_of(user.id), role=role)
    await world.add_team()
    teams = [(team["id"], team["role"]) for team in await listed(world, await world.token(user.id))]
    assert teams == [(str(world.team_id), "member"), (str(others[0]), "admin"), (str(others[1]), "owner")]


async def test_a_key_sees_its_one_team_whatever_its_permissions_are(world: World) -> None:
    for key, role in (
        (await world.add_key("audit_logs:read"), "owner"),
        (await world.add_key("jobs:read", maker=await world.add_user("admin")), "admin"),
    ):
        assert [(team["id"], team["role"]) for team in await listed(world, key)] == [(str(world.team_id), role)]


async def test_a_user_of_no_team_sees_none(world: World) -> None:
    user = await world.add_user("member")
    await world.conn.execute("delete from memberships where user_id = $1", user.id)
    assert await listed(world, await world.token(user.id)) == []


async def test_nobody_has_teams(world: World) -> None:
    assert refusal(await world.send("GET", "/v1/teams", as_=None)) == (401, "unauthenticated")
