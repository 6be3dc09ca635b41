"""Who did what in a team."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from api.world import World, is_time, refusal
from tawny.access import Actor, leave

FIELDS = {
    "id",
    "team_id",
    "actor_type",
    "actor_id",
    "action",
    "resource_type",
    "resource_id",
    "changes",
    "metadata",
    "timestamp",
}


@pytest.fixture
async def key(world: World) -> str:
    return await world.add_key("audit_logs:read")


async def ask(world: World, as_: str | None, team_id: Any = None, **params: Any) -> httpx.Response:
    return await world.send("GET", f"/v1/teams/{team_id or world.team_id}/audit-logs", as_=as_, params=params)


async def page(world: World, as_: str, **params: Any) -> dict[str, Any]:
    answer = await ask(world, as_, **params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert list(found) == ["audit_logs", "cursor", "has_more"]
    assert all(set(entry) == FIELDS for entry in found["audit_logs"])
    assert found["has_more"] is (found["cursor"] is not None)
    return found


async def entries(world: World, as_: str, **params: Any) -> list[dict[str, Any]]:
    """All pages, as whoever follows the cursor sees them."""
    found, cursor = [], {}
    while True:
        one = await page(world, as_, **params, **cursor)
        found += one["audit_logs"]
        if one["cursor"] is None:
            return found
        cursor = {"cursor": one["cursor"]}


async def done(world: World, as_: str, **params: Any) -> list[str]:
    return sorted(f"{entry['action']} {entry['resource_type']}" for entry in await entries(world, as_, **params))


async def test_an_entry_says_who_did_what_to_what_and_when(world: World, key: str) -> None:
    owner = await world.token(world.owner_id)
    body = {"team_id": str(world.team_id), "name": "Shop", "slug": "shop"}
    project = (await world.send("POST", "/v1/projects", as_=owner, json=body)).json()
    await world.send("PATCH", f"/v1/projects/{project['id']}", as_=owner, json={"name": "Web shop"})
    renamed, made = await entries(world, key, resource_id=project["id"])
    assert is_time(made.pop("timestamp"))
    assert UUID(made.pop("id"))
    assert made == {
        "team_id": str(world.team_id),
        "actor_type": "user",
        "actor_id": str(world.owner_id),
        "action": "create",
        "resource_type": "project",
        "resource_id": project["id"],
        "changes": None,
        "metadata": {"name": "Shop", "slug": "shop"},
    }
    assert (renamed["action"], renamed["changes"]) == ("update", {"name": {"before": "Shop", "after": "Web shop"}})
    assert renamed["metadata"] is None


async def test_every_verb_that_changes_something_leaves_one_row(world: World, key: str) -> None:
    """Over HTTP, by a user; the expected list is what was asked for, in the order of the alphabet."""
    owner = await world.token(world.owner_id)
    team = f"/v1/teams/{world.team_id}"
    expected: list[str] = []

    async def do(row: str | None, method: str, path: str, **body: Any) -> dict[str, Any]:
        answer = await world.send(method, path, as_=owner, **({"json": body} if body else {}))
        assert answer.is_success, answer.text
        expected.extend([row] if row else [])
        assert await done(world, key, actor_id=world.owner_id) == sorted(expected), path
        found: dict[str, Any] = answer.json()
        return found

    project = (await do("create project", "POST", "/v1/projects", team_id=str(world.team_id), name="S", slug="s"))["id"]
    here = f"/v1/projects/{project}"
    await do("update project", "PATCH", here, name="Shop")
    config = {"api_key": "sk_the_whole_secret"}
    await do("create integration", "POST", f"{here}/integrations", provider="revenuecat", config=config)
    await do("update integration", "PATCH", f"{here}/integrations/revenuecat", enabled=False)
    copied = f"/v1/projects/{world.project_id}/integrations"
    await do("create integration", "POST", f"{copied}/copy-from/{project}", provider="revenuecat")
    await do("delete integration", "DELETE", f"{here}/integrations/revenuecat")
    made = await do("create api_key", "POST", f"{team}/keys", name="CI", permissions=["jobs:read"])
    await do("delete api_key", "DELETE", f"{team}/keys/{made['id']}")
    await do(None, "DELETE", f"{team}/keys/{made['id']}")
    invited = await do("create invitation", "POST", f"{team}/invitations", email="a@example.com")
    await do("delete invitation", "DELETE", f"{team}/invitations/{invited['id']}")
    user = await world.add_user("member")
    await do("update member", "PATCH", f"{team}/members/{user.id}", role="admin")
    await do("delete member", "DELETE", f"{team}/members/{user.id}")
    run = await do("create job_run", "POST", f"{team}/jobs/trigger", job_type="export", project_id=project)
    run_path = f"/v1/jobs/{run['job_run']['id']}"
    await do("update job_run", "POST", f"{run_path}/cancel", include_pending=True)
    await do("create job_run", "POST", f"{run_path}/retry")
    await do("create job_run", "POST", f"{team}/jobs/bulk", action="cancel")
    await do(None, "POST", f"{team}/jobs/bulk", action="cancel", dry_run=True)
    await do("delete project", "DELETE", here)
    for path in ("/v1/projects", f"{team}/keys", f"{team}/members", f"{team}/jobs", "/v1/auth/whoami"):
        await do(None, "GET", path)


async def test_what_was_refused_leaves_no_row(world: World, key: str) -> None:
    before = await done(world, key)
    await world.send("POST", "/v1/projects", json={"team_id": str(world.team_id), "name": "S", "slug": "s"})
    await world.trigger(params={"count": "x"})
    await world.made()
    assert (await world.trigger()).status_code == 409
    assert await done(world, key) == sorted([*before, "create job_run"])


async def test_filters_narrow_the_list_together(world: World, key: str) -> None:
    admin, member = await world.add_user("admin"), await world.add_user("member")
    project_id = uuid4()
    for actor, action in ((admin, "create"), (admin, "update"), (member, "update"), (Actor.host(), "delete")):
        await leave(world.conn, actor, action, "project", project_id, team_id=world.team_id)  # type: ignore[arg-type]
    await leave(world.conn, admin, "create", "api_key", uuid4(), team_id=world.team_id)
    await leave(world.conn, admin, "create", "project", project_id, team_id=(await world.add_team())[0])

    async def count(**params: Any) -> int:
        return len(await entries(world, key, **params))

    assert await count(resource_id=project_id) == 4
    assert await count(actor_id=admin.id) == 3
    assert await count(actor_id=admin.id, resource_type="project") == 2
    assert await count(actor_id=admin.id, action="create") == 2
    assert await count(actor_id=admin.id, action="create", resource_type="project") == 1
    assert await count(resource_id=project_id, action="update") == 2
    assert await count(resource_id=project_id, action="update", actor_id=member.id) == 1
    assert await count(resource_id=project_id, resource_type="api_key") == 0
    assert await count(action="delete") == 1
    assert await count(since="1h", actor_id=admin.id) == 3
    assert await count(until="1h") == 0
    assert await count(since="2999-01-01") == 0
    assert await count(unknown="parameter", actor_id=admin.id) == 3


async def test_since_and_until_include_their_own_instant(world: World, key: str) -> None:
    await world.made()
    newest = (await entries(world, key))[0]
    at = newest["timestamp"]
    assert newest in await entries(world, key, since=at, until=at)
    later = (datetime.fromisoformat(at) + timedelta(milliseconds=1)).astimezone(UTC).isoformat()
    assert newest not in await entries(world, key, since=later)


async def test_a_walk_sees_each_row_once_also_when_many_share_a_millisecond(world: World, key: str) -> None:
    actor = (await world.add_user("admin")).id
    await world.conn.execute(
        "insert into audit_log (team_id, actor_type, actor_id, action, resource_type, resource_id, created_at) "
        "select $1, 'user', $2, (array['create', 'update', 'delete'])[1 + n % 3], (array['project', 'member'])[1 + n % 2], $2, "
        "date_trunc('hour', now()) - make_interval(secs => (n / 50) * 0.001) from generate_series(0, 149) as n",
        world.team_id,
        actor,
    )
    for filters in ({}, {"action": "create"}, {"resource_type": "member", "action": "update"}, {"resource_id": actor}):
        found = await entries(world, key, actor_id=actor, limit=7, **filters)
        assert len({entry["id"] for entry in found}) == len(found) == len(await entries(world, key, actor_id=actor, **filters))
        assert found == sorted(found, key=lambda entry: (entry["timestamp"], entry["id"]), reverse=True)
    assert len(await entries(world, key, actor_id=actor, limit=200)) == 150
    assert len((await page(world, key))["audit_logs"]) == 50


@pytest.mark.parametrize(
    ("params", "code", "named"),
    [
        ({"limit": "0"}, "invalid_parameter", "limit"),
        ({"limit": "201"}, "invalid_parameter", "limit"),
        ({"limit": "1.5"}, "invalid_parameter", "limit"),
        ({"limit": ""}, "invalid_parameter", "limit"),
        ({"action": "read"}, "invalid_parameter", "action"),
        ({"action": "CREATE"}, "invalid_parameter", "action"),
        ({"resource_type": "secret"}, "invalid_parameter", "resource_type"),
        ({"resource_id": "x"}, "invalid_parameter", "resource_id"),
        ({"actor_id": "x"}, "invalid_parameter", "actor_id"),
        ({"since": "yesterday"}, "invalid_parameter", "since"),
        ({"until": "infinity"}, "invalid_parameter", "until"),
        ({"cursor": "x"}, "invalid_cursor", "cursor"),
        ({"cursor": "2026-11-23T16:55:36.673Z|x"}, "invalid_cursor", "cursor"),
        ({"action": ["create", "update"]}, "repeated_parameter", "action"),
    ],
)
async def test_a_wrong_parameter_is_refused_by_name(
    world: World, key: str, params: dict[str, Any], code: str, named: str
) -> None:
    answer = await ask(world, key, **params)
    assert refusal(answer) == (400, code)
    assert named in answer.json()["error"]


async def test_the_log_of_another_team_is_refused(world: World, key: str) -> None:
    other_team, _ = await world.add_team()
    answers = [await ask(world, key, team_id, limit="0") for team_id in (other_team, uuid4(), "nope")]
    assert {refusal(answer) for answer in answers} == {(403, "not_a_member")}
    assert (await ask(world, None, limit="0")).status_code == 401
    assert refusal(await ask(world, world.key, other_team, limit="0")) == (403, "insufficient_permission")
    assert refusal(await ask(world, await world.token_of("member"), limit="0")) == (403, "insufficient_role")


async def test_a_cursor_of_another_team_shows_nothing_of_it(world: World, key: str) -> None:
    other_team, _ = await world.add_team()
    other_key = await world.add_key("audit_logs:read", team_id=other_team)
    await world.add_project(other_team)
    theirs = (await ask(world, other_key, other_team, limit=1)).json()
    shown = await entries(world, key, cursor=theirs["cursor"])
    assert {entry["team_id"] for entry in shown} <= {str(world.team_id)}


async def test_the_log_only_grows(world: World) -> None:
    for statement in ("delete from audit_log", "update audit_log set action = 'create'"):
        with pytest.raises(asyncpg.RaiseError, match="only grows"):
            await world.conn.execute(statement)


async def test_what_is_in_an_entry_is_json_whatever_the_names_are(world: World, key: str) -> None:
    owner = await world.token(world.owner_id)
    name = "“quotes” \\ </script> {curly} 'x'); drop table --"
    body = {"team_id": str(world.team_id), "name": name, "slug": "s"}
    made = (await world.send("POST", "/v1/projects", as_=owner, json=body)).json()
    (entry,) = await entries(world, key, resource_id=made["id"])
    assert entry["metadata"]["name"] == name
    assert json.loads(json.dumps(entry)) == entry
