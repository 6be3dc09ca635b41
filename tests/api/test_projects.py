"""Projects, from making them to what deleting one does to its runs."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from api.world import World, is_time, refusal

KEY = ("projects:read", "projects:write")
FIELDS = {"id", "team_id", "name", "slug", "color", "created_at"}


@pytest.fixture
async def key(world: World) -> str:
    return await world.add_key(*KEY)


async def create(world: World, key: str, **body: Any) -> httpx.Response:
    """POST a project. An argument of `...` leaves the field out."""
    sent = {"team_id": str(world.team_id), "name": "Shop", "slug": "shop"} | body
    sent = {name: value for name, value in sent.items() if value is not ...}
    return await world.send("POST", "/v1/projects", as_=key, json=sent)


async def view(world: World, project_id: Any, key: str) -> httpx.Response:
    return await world.send("GET", f"/v1/projects/{project_id}", as_=key)


async def change(world: World, project_id: Any, key: str, **body: Any) -> httpx.Response:
    return await world.send("PATCH", f"/v1/projects/{project_id}", as_=key, json=body)


async def delete(world: World, project_id: Any, key: str) -> httpx.Response:
    return await world.send("DELETE", f"/v1/projects/{project_id}", as_=key)


async def listed(world: World, key: str, **params: Any) -> list[str]:
    """The ids of the projects that are listed."""
    answer = await world.send("GET", "/v1/projects", as_=key, params=params)
    assert answer.status_code == 200
    assert list(answer.json()) == ["projects"]
    assert all(set(project) == FIELDS for project in answer.json()["projects"])
    return [project["id"] for project in answer.json()["projects"]]


async def test_a_new_project_is_answered_bare(world: World, key: str) -> None:
    answer = await create(world, key, name=" Web\u200b shop ", slug="web-shop")
    assert answer.status_code == 201
    project = answer.json()
    assert set(project) == FIELDS
    assert UUID(project["id"]).version == 7
    assert (project["team_id"], project["name"], project["slug"]) == (str(world.team_id), "Web shop", "web-shop")
    assert re.fullmatch("#[0-9a-f]{6}", project["color"])
    assert is_time(project["created_at"])
    viewed = await view(world, project["id"], key)
    assert (viewed.status_code, viewed.json()) == (200, project | {"apps": []})
    assert await world.audited() == ["create project"]


@pytest.mark.parametrize(
    ("body", "code", "named"),
    [
        ({"team_id": ...}, "missing_field", "team_id"),
        ({"team_id": None}, "invalid_field", "team_id"),
        ({"team_id": "x"}, "invalid_field", "team_id"),
        ({"team_id": 5}, "invalid_field", "team_id"),
        ({"name": ...}, "missing_field", "name"),
        ({"name": 5}, "invalid_field", "name"),
        ({"name": ""}, "invalid_name", "name"),
        ({"name": " \u200b\n"}, "invalid_name", "name"),
        ({"name": "x" * 201}, "invalid_name", "name"),
        ({"slug": ...}, "missing_field", "slug"),
        ({"slug": ""}, "invalid_slug", "slug"),
        ({"slug": "Shop"}, "invalid_slug", "slug"),
        ({"slug": "a/b"}, "invalid_slug", "slug"),
        ({"slug": "sh\u043ep"}, "invalid_slug", "slug"),
        ({"slug": "shop\n"}, "invalid_slug", "slug"),
        ({"slug": "x" * 65}, "invalid_slug", "slug"),
        ({"color": "#ffffff"}, "unknown_field", "color"),
        ({"id": str(uuid4())}, "unknown_field", "id"),
        ({"retention_days_events": 1}, "unknown_field", "retention_days_events"),
    ],
)
async def test_a_wrong_body_is_refused_by_name(world: World, key: str, body: dict[str, Any], code: str, named: str) -> None:
    answer = await create(world, key, **body)
    assert refusal(answer) == (400, code)
    assert named in answer.json()["error"]
    assert await world.audited() == []


async def test_a_slug_is_taken_once_in_a_team_until_its_project_is_deleted(world: World, key: str) -> None:
    first = (await create(world, key)).json()["id"]
    assert refusal(await create(world, key, name="Another")) == (409, "slug_taken")
    other_team, _ = await world.add_team()
    theirs = await world.add_key(*KEY, team_id=other_team)
    assert (await create(world, theirs, team_id=str(other_team))).status_code == 201
    assert (await delete(world, first, key)).status_code == 200
    assert (await create(world, key)).status_code == 201


async def test_a_list_has_the_living_projects_oldest_first(world: World, key: str) -> None:
    made = [str(world.project_id)] + [(await create(world, key, slug=slug)).json()["id"] for slug in ("c", "a", "b")]
    await world.add_project((await world.add_team())[0])
    assert await listed(world, key) == made
    await delete(world, made.pop(1), key)
    assert await listed(world, key) == await listed(world, key, team_id=world.team_id) == made


async def test_a_user_lists_all_teams_or_one(world: World) -> None:
    user = await world.add_user("member")
    other_team, _ = await world.add_team()
    theirs = str(await world.add_project(other_team))
    await world.conn.execute("insert into memberships (team_id, user_id, role) values ($1, $2, 'member')", other_team, user.id)
    token = await world.token(user.id)
    assert await listed(world, token) == [str(world.project_id), theirs]
    assert await listed(world, token, team_id=other_team) == [theirs]


async def test_a_list_of_a_team_that_one_is_not_in_is_refused(world: World, key: str) -> None:
    other_team, _ = await world.add_team()

    async def refused(team_id: Any, as_: str | None = key) -> tuple[int, str]:
        return refusal(await world.send("GET", "/v1/projects", as_=as_, params={"team_id": team_id}))

    assert await refused(other_team) == await refused(uuid4()) == (403, "not_a_member")
    assert await refused("nope") == await refused("") == (400, "invalid_parameter")
    assert await refused("nope", await world.add_key()) == (403, "insufficient_permission")
    assert await refused("nope", None) == (401, "unauthenticated")


async def test_unknown_foreign_malformed_and_deleted_projects_are_the_same_404(world: World, key: str) -> None:
    foreign = await world.add_project((await world.add_team())[0])
    gone = await world.add_project()
    assert (await delete(world, gone, key)).json() == {"deleted": True}
    ids = (uuid4(), foreign, gone, "nope", f"{{{world.project_id}}}")
    answers = [await view(world, project_id, key) for project_id in ids]
    answers += [await change(world, project_id, key, name="Mine") for project_id in ids]
    answers += [await delete(world, project_id, key) for project_id in ids]
    assert {(answer.status_code, answer.content) for answer in answers} == {(404, answers[0].content)}
    assert await world.conn.fetchval("select name from projects where id = $1", foreign) == "P"


async def test_an_id_may_be_in_upper_case(world: World, key: str) -> None:
    assert (await view(world, str(world.project_id).upper(), key)).json()["id"] == str(world.project_id)


async def test_a_project_is_renamed_and_gets_another_slug(world: World, key: str) -> None:
    before = (await create(world, key)).json()
    for body in ({"name": "Web shop"}, {"slug": "web-shop"}, {"name": "Both", "slug": "both"}, {"name": "One", "slug": None}):
        answer = await change(world, before["id"], key, **body)
        changes = {name: value for name, value in body.items() if value is not None}
        assert (answer.status_code, answer.json()) == (200, before | changes)
        before = answer.json()
    assert await world.audited() == ["create project", *["update project"] * 4]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "nothing_to_change"),
        ({"name": None, "slug": None}, 400, "nothing_to_change"),
        ({"name": ""}, 400, "invalid_name"),
        ({"slug": "A"}, 400, "invalid_slug"),
        ({"name": 5}, 400, "invalid_field"),
        ({"team_id": str(uuid4())}, 400, "unknown_field"),
        ({"color": "#000000"}, 400, "unknown_field"),
        ({"deleted_at": None}, 400, "unknown_field"),
        ({"slug": "taken"}, 409, "slug_taken"),
    ],
)
async def test_a_wrong_change_is_refused_by_name(world: World, key: str, body: dict[str, Any], status: int, code: str) -> None:
    await create(world, key, slug="taken")
    assert refusal(await change(world, world.project_id, key, **body)) == (status, code)
    assert await world.audited() == ["create project"]


async def test_the_order_of_checks_is_credential_permission_role_request_object(world: World) -> None:
    """What is wrong with each request is everything that is checked later than what is told."""
    bad: dict[str, Any] = {"content": b"{", "headers": {"content-type": "application/json"}}
    other_team, _ = await world.add_team()
    reader, writer, member = await world.add_key("projects:read"), await world.add_key(*KEY), await world.token_of("member")
    path = f"/v1/projects/{world.project_id}"
    assert (await world.send("PATCH", path, as_=None, **bad)).status_code == 401
    assert refusal(await world.send("PATCH", path, as_=reader, **bad)) == (403, "insufficient_permission")
    assert refusal(await world.send("PATCH", path, as_=member, **bad)) == (403, "insufficient_role")
    assert refusal(await world.send("PATCH", "/v1/projects/nope", as_=writer, **bad)) == (400, "invalid_json")
    assert refusal(await change(world, uuid4(), writer, name="")) == (400, "invalid_name")
    assert (await change(world, uuid4(), writer, name="x")).status_code == 404
    assert refusal(await create(world, reader, team_id="x")) == (403, "insufficient_permission")
    assert refusal(await create(world, member, name="")) == (403, "insufficient_role")
    assert refusal(await create(world, writer, team_id=str(other_team), name="")) == (403, "not_a_member")
    assert refusal(await delete(world, world.project_id, member)) == (403, "insufficient_role")


# Deleting one


async def test_deleting_a_project_cancels_its_runs_and_no_others(world: World, key: str) -> None:
    other_project = str(await world.add_project())
    elsewhere = await world.made(project_id=other_project)
    ended = await world.ended(job_type="import")
    _, running = await world.running()
    pending = await world.made(job_type="import")
    assert (await delete(world, world.project_id, key)).json() == {"deleted": True}

    async def status(run_id: UUID) -> str:
        found: str = (await world.view(run_id)).json()["job_run"]["status"]
        return found

    assert [await status(run_id) for run_id in (ended, pending, elsewhere)] == ["completed", "cancelled", "running"]
    assert await status(running.id) == "running"  # until its handler stops
    await world.finish(running)
    assert await status(running.id) == "cancelled"
    assert await world.conn.fetchval("select cancel_requested_at from job_runs where id = $1", elsewhere) is None


async def test_a_deleted_project_takes_no_new_runs(world: World, key: str) -> None:
    ended = await world.ended()
    await delete(world, world.project_id, key)
    unknown = await world.trigger(project_id=str(uuid4()))
    assert unknown.status_code == 404
    refused = await world.trigger()
    assert (refused.status_code, refused.content) == (404, unknown.content)
    assert (await world.retry(ended)).status_code == 404
    assert (await world.view(ended)).status_code == 200


async def test_deleting_leaves_one_row_for_the_project_in_the_audit_log(world: World, key: str) -> None:
    await world.made()
    before = await world.audited()
    await delete(world, world.project_id, key)
    assert await world.audited() == sorted([*before, "delete project"])
