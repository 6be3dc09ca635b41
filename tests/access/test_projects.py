"""Projects of a team."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from tawny.access import (
    PERMISSIONS,
    Actor,
    Project,
    Role,
    create_project,
    create_team,
    delete_project,
    find_project,
    list_projects,
    update_project,
)
from tawny.access.projects import PALETTE, color_of
from tawny.db.pool import Connection, Pool
from tawny.errors import Conflict, Forbidden, InvalidRequest, NotFound, RequestError

AddUser = Callable[[Role], Awaitable[Actor]]
HOST = Actor.host()


async def make(conn: Connection, team_id: UUID, slug: str) -> Project:
    return await create_project(conn, HOST, team_id, name=slug.title(), slug=slug)


async def test_a_project_is_made_found_and_listed(conn: Connection, team_id: UUID, add_user: AddUser) -> None:
    admin, member = await add_user("admin"), await add_user("member")
    project = await create_project(conn, admin, team_id, name=" Web\0 shop ", slug="web-shop")
    assert (project.team_id, project.name, project.slug) == (team_id, "Web shop", "web-shop")
    assert project.created_at.microsecond % 1000 == 0
    assert await find_project(conn, member, project.id) == project
    assert await list_projects(conn, member, team_id) == await list_projects(conn, member) == [project]


async def test_projects_are_listed_in_the_order_they_were_made(conn: Connection, team_id: UUID) -> None:
    made = [await make(conn, team_id, slug) for slug in ("c", "a", "b")]
    assert await list_projects(conn, HOST, team_id) == made


async def test_the_color_comes_from_the_id(conn: Connection, team_id: UUID) -> None:
    project = await make(conn, team_id, "web")
    assert project.color == color_of(project.id)
    assert all(re.fullmatch("#[0-9a-f]{6}", color) for color in PALETTE)
    assert {color_of(uuid4()) for _ in range(500)} == set(PALETTE)


async def test_a_slug_is_taken_once_in_a_team(conn: Connection, team_id: UUID) -> None:
    await make(conn, team_id, "web")
    with pytest.raises(Conflict) as refused:
        await make(conn, team_id, "web")
    assert refused.value.code == "slug_taken"


async def test_of_two_who_take_a_slug_at_once_one_gets_it(pool: Pool, team_id: UUID) -> None:
    async def attempt(_: int) -> Project:
        async with pool.transaction() as conn:
            return await make(conn, team_id, "web")

    outcomes = await asyncio.gather(*map(attempt, range(6)), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict"] * 5 + ["Project"]


async def test_another_team_may_have_the_same_slug(conn: Connection, team_id: UUID) -> None:
    other = await create_team(conn, HOST, name="Other", owner_email="o@example.com")
    await make(conn, team_id, "web")
    await make(conn, other.team_id, "web")


async def test_a_deleted_project_is_gone_and_gives_its_slug_back(conn: Connection, team_id: UUID, add_user: AddUser) -> None:
    owner = await add_user("owner")
    project = await make(conn, team_id, "web")
    assert await delete_project(conn, owner, project.id) == project
    assert await list_projects(conn, HOST, team_id) == []
    for ask in (
        find_project(conn, owner, project.id),
        update_project(conn, owner, project.id, name="Shop"),
        delete_project(conn, owner, project.id),
    ):
        with pytest.raises(NotFound, match=r"^Project not found\.$"):
            await ask
    again = await make(conn, team_id, "web")
    assert again.id != project.id
    await delete_project(conn, owner, again.id)
    await make(conn, team_id, "web")


async def test_of_many_who_delete_a_project_at_once_one_does(
    pool: Pool, conn: Connection, team_id: UUID, add_user: AddUser
) -> None:
    owner, project = await add_user("owner"), await make(conn, team_id, "web")

    async def attempt(_: int) -> Project:
        async with pool.transaction() as own:
            return await delete_project(own, owner, project.id)

    outcomes = await asyncio.gather(*map(attempt, range(6)), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NotFound"] * 5 + ["Project"]


@pytest.mark.parametrize(
    ("changes", "name", "slug"),
    [
        ({}, "Web", "web"),
        ({"name": " Web\0 shop "}, "Web shop", "web"),
        ({"slug": "shop"}, "Web", "shop"),
        ({"name": "Shop", "slug": "web-shop"}, "Shop", "web-shop"),
        ({"slug": "web"}, "Web", "web"),
    ],
)
async def test_a_project_is_changed_in_what_was_asked_for(
    conn: Connection, team_id: UUID, add_user: AddUser, changes: dict[str, str], name: str, slug: str
) -> None:
    admin, project = await add_user("admin"), await make(conn, team_id, "web")
    changed = await update_project(conn, admin, project.id, **changes)
    assert changed == replace(project, name=name, slug=slug)
    assert await find_project(conn, admin, project.id) == changed


async def test_a_project_keeps_its_slug_when_another_has_the_new_one(conn: Connection, team_id: UUID, add_user: AddUser) -> None:
    admin = await add_user("admin")
    web, shop = await make(conn, team_id, "web"), await make(conn, team_id, "shop")
    with pytest.raises(Conflict) as refused:
        await update_project(conn, admin, web.id, name="Other", slug="shop")
    assert refused.value.code == "slug_taken"
    assert await list_projects(conn, admin, team_id) == [web, shop]
    await delete_project(conn, admin, shop.id)
    assert (await update_project(conn, admin, web.id, slug="shop")).slug == "shop"
    await make(conn, team_id, "web")


async def test_a_slug_of_another_team_is_free(conn: Connection, team_id: UUID, add_user: AddUser) -> None:
    other = await create_team(conn, HOST, name="Other", owner_email="o@example.com")
    await make(conn, other.team_id, "shop")
    project = await make(conn, team_id, "web")
    assert (await update_project(conn, await add_user("admin"), project.id, slug="shop")).slug == "shop"


@pytest.mark.parametrize("changes", [{"name": ""}, {"name": "x" * 201}, {"slug": "Web"}, {"slug": ""}, {"slug": "a/b"}])
async def test_bad_names_and_slugs_change_nothing(
    conn: Connection, team_id: UUID, add_user: AddUser, changes: dict[str, str]
) -> None:
    admin, project = await add_user("admin"), await make(conn, team_id, "web")
    with pytest.raises(InvalidRequest):
        await update_project(conn, admin, project.id, **changes)
    assert await find_project(conn, admin, project.id) == project


async def test_who_may_not_change_a_project_does_not(conn: Connection, team_id: UUID, add_user: AddUser) -> None:
    """Who may look at it is told why; to everybody else there is no such project."""
    project = await make(conn, team_id, "web")
    other = await create_team(conn, HOST, name="Other", owner_email="o@example.com")
    reader = Actor("api_key", uuid4(), {team_id: "owner"}, frozenset({"projects:read"}))
    foreign_key = Actor("api_key", uuid4(), {other.team_id: "owner"}, frozenset(PERMISSIONS))
    refusals = (
        (await add_user("member"), "insufficient_role"),
        (reader, "insufficient_permission"),
        (Actor("user", other.user_id, {other.team_id: "owner"}), "not_found"),
        (foreign_key, "not_found"),
    )
    for actor, code in refusals:
        for ask in (update_project(conn, actor, project.id, name="Mine"), delete_project(conn, actor, project.id)):
            with pytest.raises(RequestError) as refused:
                await ask
            assert refused.value.code == code
    assert await list_projects(conn, HOST, team_id) == [project]


async def test_a_key_with_the_permission_changes_and_deletes(conn: Connection, team_id: UUID) -> None:
    key = Actor("api_key", uuid4(), {team_id: "admin"}, frozenset({"projects:write"}))
    project = await make(conn, team_id, "web")
    assert (await update_project(conn, key, project.id, name="Shop")).name == "Shop"
    await delete_project(conn, key, project.id)
    assert await list_projects(conn, HOST, team_id) == []


async def test_foreign_and_unknown_projects_are_the_same_to_whoever_asks(
    conn: Connection, team_id: UUID, add_user: AddUser
) -> None:
    other = await create_team(conn, HOST, name="Other", owner_email="o@example.com")
    foreign = await make(conn, other.team_id, "web")
    owner = await add_user("owner")
    refusals = set()
    for project_id in (foreign.id, uuid4()):
        with pytest.raises(NotFound) as refused:
            await find_project(conn, owner, project_id)
        refusals.add((refused.value.code, str(refused.value)))
    assert len(refusals) == 1
    assert await list_projects(conn, owner) == []


async def test_strangers_and_members_make_no_projects(conn: Connection, team_id: UUID, add_user: AddUser) -> None:
    stranger = Actor("user", uuid4(), {uuid4(): "owner"})
    for actor, code in ((await add_user("member"), "insufficient_role"), (stranger, "not_a_member")):
        with pytest.raises(Forbidden) as refused:
            await create_project(conn, actor, team_id, name="Web", slug="web")
        assert refused.value.code == code
    with pytest.raises(Forbidden):
        await list_projects(conn, stranger, team_id)


async def test_rights_are_looked_at_before_the_request_is(conn: Connection, team_id: UUID, add_user: AddUser) -> None:
    with pytest.raises(Forbidden):
        await create_project(conn, await add_user("member"), team_id, name="", slug="NO SLUG")


@pytest.mark.parametrize(("name", "slug"), [("", "web"), ("Web", "Web"), ("Web", ""), ("x" * 201, "web")])
async def test_bad_names_and_slugs_are_refused(conn: Connection, team_id: UUID, name: str, slug: str) -> None:
    with pytest.raises(InvalidRequest):
        await create_project(conn, HOST, team_id, name=name, slug=slug)


async def test_there_is_no_other_team(conn: Connection, team_id: UUID) -> None:
    with pytest.raises(NotFound):
        await make(conn, uuid4(), "web")
