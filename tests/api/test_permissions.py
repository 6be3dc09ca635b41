"""Who may do what with runs, beyond the matrix, and in which order it is found out."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from api.world import World


async def answers(world: World, as_: str) -> dict[str, int]:
    """What there is to do with runs, each asked for with everything else right."""
    _, claimed = await world.running()
    asked = {
        "list": await world.list(as_=as_),
        "trigger": await world.trigger(as_=as_, project_id=str(await world.add_project())),
        "bulk": await world.bulk(as_=as_, dry_run=True),
        "stats": await world.stats(as_=as_),
        "view": await world.view(claimed.id, as_=as_),
        "timeline": await world.timeline(claimed.id, as_=as_),
        "logs": await world.logs(claimed.id, as_=as_),
        "cancel": await world.cancel(claimed.id, as_=as_),
        "retry": await world.retry(claimed.id, as_=as_),
        "job types": await world.send("GET", "/v1/job-types", as_=as_),
    }
    return {what: answer.status_code for what, answer in asked.items()}


async def test_a_user_of_no_team_may_do_nothing(world: World) -> None:
    user_id = (await world.add_user("member")).id
    await world.conn.execute("delete from memberships where user_id = $1", user_id)
    statuses = await answers(world, await world.token(user_id))
    of_a_run = dict.fromkeys(("view", "timeline", "logs", "cancel", "retry"), 404)
    assert statuses == dict.fromkeys(statuses, 403) | of_a_run


async def test_a_key_with_another_permission_may_do_nothing(world: World) -> None:
    statuses = await answers(world, await world.add_key("projects:read", "projects:write"))
    assert statuses == dict.fromkeys(statuses, 403)


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
    too_low = await world.retry(await world.ended(), as_=await world.token_of("member"), **bad)
    assert (too_low.status_code, too_low.json()["code"]) == (403, "insufficient_role")
    writer = await world.add_key("jobs:write")
    assert (await world.view("nope", as_=writer)).status_code == 403
    assert (await world.logs("nope", as_=None, limit=0)).status_code == 401
    assert (await world.logs("nope", as_=writer, limit=0)).status_code == 403
    assert (await world.logs("nope", limit=0)).status_code == 400
    assert (await world.logs("nope")).status_code == 404
