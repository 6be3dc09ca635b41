"""Who may do what with runs, and in which order it is found out."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from api.world import World

# What each caller gets when everything else is right: list, trigger, view, timeline, logs, cancel, retry, bulk, job types, stats.
CALLERS = {
    "owner": (200, 201, 200, 200, 200, 200, 201, 200, 200, 200),
    "admin": (200, 201, 200, 200, 200, 200, 201, 200, 200, 200),
    "member": (403, 403, 200, 200, 200, 200, 403, 403, 200, 403),
    "stranger": (403, 403, 404, 404, 404, 404, 404, 403, 200, 403),
    "nobody's user": (403, 403, 404, 404, 404, 404, 404, 403, 403, 403),
    "key with both": (200, 201, 200, 200, 200, 200, 201, 200, 200, 200),
    "key that reads": (200, 403, 200, 200, 200, 403, 403, 403, 200, 200),
    "key that writes": (403, 201, 403, 403, 403, 200, 201, 200, 403, 403),
    "key with neither": (403, 403, 403, 403, 403, 403, 403, 403, 403, 403),
    "key of another team": (403, 403, 404, 404, 404, 404, 404, 403, 200, 403),
    "admin's key": (200, 201, 200, 200, 200, 200, 201, 200, 200, 200),
    "demoted maker's key": (403, 403, 200, 200, 200, 200, 403, 403, 200, 403),
    "no credential": (401, 401, 401, 401, 401, 401, 401, 401, 401, 401),
}


async def credential(world: World, caller: str) -> str | None:
    match caller:
        case "no credential":
            return None
        case "owner" | "admin" | "member":
            return await world.token_of(caller)
        case "stranger":
            other_team, _ = await world.add_team()
            return await world.token_of("owner", other_team)
        case "nobody's user":
            user_id = (await world.add_user("member")).id
            await world.conn.execute("delete from memberships where user_id = $1", user_id)
            return await world.token(user_id)
        case "key of another team":
            return await world.add_key(team_id=(await world.add_team())[0])
        case "admin's key":
            return await world.add_key(maker=await world.add_user("admin"))
        case "demoted maker's key":
            maker = await world.add_user("admin")
            key = await world.add_key(maker=maker)
            await world.conn.execute("update memberships set role = 'member' where user_id = $1", maker.id)
            return key
    permissions = {
        "key with both": ("jobs:read", "jobs:write"),
        "key that reads": ("jobs:read",),
        "key that writes": ("jobs:write",),
        "key with neither": ("projects:read",),
    }
    return await world.add_key(*permissions[caller])


@pytest.mark.parametrize("caller", CALLERS)
async def test_each_caller_may_do_what_the_table_says(world: World, caller: str) -> None:
    as_ = await credential(world, caller)
    ended = await world.ended(project_id=str(await world.add_project()))
    _, claimed = await world.running()
    new_project = str(await world.add_project())
    answers = [
        await world.list(as_=as_),
        await world.trigger(as_=as_, project_id=new_project),
        await world.view(claimed.id, as_=as_),
        await world.timeline(claimed.id, as_=as_),
        await world.logs(claimed.id, as_=as_),
        await world.cancel(claimed.id, as_=as_),
        await world.retry(ended, as_=as_),
        await world.bulk(as_=as_, dry_run=True),
        await world.send("GET", "/v1/job-types", as_=as_),
        await world.stats(as_=as_),
    ]
    assert tuple(answer.status_code for answer in answers) == CALLERS[caller]


@pytest.mark.parametrize(("permission", "lacking"), [("jobs:read", "jobs:write"), ("jobs:write", "jobs:read")])
async def test_the_403_of_a_key_names_the_permission_it_lacks(world: World, permission: str, lacking: str) -> None:
    key = await world.add_key(permission)
    refused = await world.trigger(as_=key) if lacking == "jobs:write" else await world.list(as_=key)
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_permission")
    assert lacking in refused.json()["error"]


async def test_a_malformed_an_unknown_and_a_foreign_team_are_the_same_403(world: World) -> None:
    other_team, _ = await world.add_team()
    for ask in (world.list, world.trigger, world.bulk):
        answers = [await ask(team_id=team_id) for team_id in ("nope", uuid4(), other_team, f"{{{world.team_id}}}")]
        assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(403, "not_a_member")}
        assert len({answer.content for answer in answers}) == 1


async def test_a_team_id_may_be_in_upper_case(world: World) -> None:
    assert (await world.list(team_id=str(world.team_id).upper())).status_code == 200


async def statuses(world: World, as_: str | None, team_id: Any) -> list[int]:
    """Requests that are wrong in everything that comes after the credential."""
    bad_body: dict[str, Any] = {"content": b"{", "headers": {"content-type": "application/json"}}
    answers = [
        await world.list(as_=as_, team_id=team_id, limit="0"),
        await world.stats(as_=as_, team_id=team_id, job_type="?"),
        await world.send("POST", f"/v1/teams/{team_id}/jobs/trigger", as_=as_, **bad_body),
        await world.send("POST", f"/v1/teams/{team_id}/jobs/bulk", as_=as_, **bad_body),
    ]
    return [answer.status_code for answer in answers]


async def test_the_order_of_checks_is_credential_permission_team_role_request_object(world: World) -> None:
    other_team, _ = await world.add_team()
    assert await statuses(world, None, other_team) == [401] * 4
    assert (await world.list(as_=await world.add_key("projects:read"), team_id=other_team)).json()[
        "code"
    ] == "insufficient_permission"
    assert await statuses(world, world.key, other_team) == [403] * 4
    assert await statuses(world, await world.token_of("member"), world.team_id) == [403] * 4
    assert await statuses(world, world.key, world.team_id) == [400] * 4
    assert (await world.trigger(project_id=str(uuid4()), params={"count": "x"})).status_code == 400
    assert (await world.trigger(project_id=str(uuid4()))).status_code == 404


async def test_the_same_order_holds_for_a_run(world: World) -> None:
    reader = await world.add_key("jobs:read")
    bad: dict[str, Any] = {"content": b"{", "headers": {"content-type": "application/json"}}
    for ask in (world.cancel, world.retry):
        assert (await ask("nope", as_=None, **bad)).status_code == 401
        assert (await ask("nope", as_=reader, **bad)).status_code == 403
        assert (await ask("nope", **bad)).status_code == 400
        assert (await ask("nope")).status_code == 404
    writer = await world.add_key("jobs:write")
    assert (await world.view("nope", as_=writer)).status_code == 403
    assert (await world.logs("nope", as_=None, limit=0)).status_code == 401
    assert (await world.logs("nope", as_=writer, limit=0)).status_code == 403
    assert (await world.logs("nope", limit=0)).status_code == 400
    assert (await world.logs("nope")).status_code == 404
