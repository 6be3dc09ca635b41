"""Keys of a team, which only people make and revoke."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from tests.waiting import until

from api.world import World, is_time, refusal, serve
from tawny.access.key_text import looks_valid

FIELDS = {
    "id",
    "team_id",
    "name",
    "last4",
    "permissions",
    "created_by",
    "created_at",
    "expires_at",
    "revoked_at",
    "last_used_at",
}


@pytest.fixture
async def admin(world: World) -> str:
    return await world.token_of("admin")


def path(world: World, rest: str = "", team_id: Any = None) -> str:
    return f"/v1/teams/{team_id or world.team_id}/keys{rest}"


async def create(world: World, as_: str | None, team_id: Any = None, **body: Any) -> httpx.Response:
    """POST a key. An argument of `...` leaves the field out."""
    sent = {"name": "CI", "permissions": ["jobs:read"]} | body
    sent = {name: value for name, value in sent.items() if value is not ...}
    return await world.send("POST", path(world, team_id=team_id), as_=as_, json=sent)


async def listed(world: World, as_: str) -> list[dict[str, Any]]:
    answer = await world.send("GET", path(world), as_=as_)
    assert answer.status_code == 200
    assert list(answer.json()) == ["keys"]
    keys: list[dict[str, Any]] = answer.json()["keys"]
    assert all(set(key) == FIELDS for key in keys)
    return keys


async def revoke(world: World, as_: str | None, key_id: Any, team_id: Any = None) -> httpx.Response:
    return await world.send("DELETE", path(world, f"/{key_id}", team_id), as_=as_)


async def test_a_new_key_is_shown_once_and_works(world: World) -> None:
    user = await world.add_user("admin")
    token = await world.token(user.id)
    answer = await create(world, token, name=" C\u200bI ", permissions=["jobs:write", "jobs:read", "jobs:read"])
    assert answer.status_code == 201
    made = answer.json()
    text = made.pop("api_key")
    assert looks_valid(text)
    assert set(made) == FIELDS
    assert (made["team_id"], made["name"], made["last4"]) == (str(world.team_id), "CI", text[-4:])
    assert made["permissions"] == ["jobs:read", "jobs:write"]
    assert made["created_by"] == str(user.id)
    assert is_time(made["created_at"])
    assert (made["expires_at"], made["revoked_at"], made["last_used_at"]) == (None, None, None)
    assert (await listed(world, token))[-1] == made
    assert text not in (await world.send("GET", path(world), as_=token)).text
    assert (await world.trigger(as_=text)).json()["job_run"]["triggered_by"] == f"manual:api_key:{made['id']}"
    assert await world.audited() == ["create api_key", "create job_run"]


async def test_a_list_has_all_keys_oldest_first_and_says_which_are_good(world: World, admin: str) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    expiring, revoked = (await create(world, admin, expires_at=soon)).json(), (await create(world, admin)).json()
    await revoke(world, admin, revoked["id"])
    (on_the_host, first, second) = await listed(world, admin)
    assert (on_the_host["created_by"], on_the_host["last4"]) == (None, world.key[-4:])
    assert (first["id"], second["id"]) == (expiring["id"], revoked["id"])
    assert is_time(first["expires_at"])
    assert first["revoked_at"] is None
    assert is_time(second["revoked_at"])


@pytest.mark.parametrize(
    ("body", "code", "named"),
    [
        ({"name": ...}, "missing_field", "name"),
        ({"name": 5}, "invalid_field", "name"),
        ({"name": ""}, "invalid_name", "name"),
        ({"name": "x" * 201}, "invalid_name", "name"),
        ({"permissions": ...}, "missing_field", "permissions"),
        ({"permissions": None}, "invalid_field", "permissions"),
        ({"permissions": "jobs:read"}, "invalid_field", "permissions"),
        ({"permissions": {"jobs:read": True}}, "invalid_field", "permissions"),
        ({"permissions": [5]}, "invalid_field", "permissions"),
        ({"permissions": []}, "invalid_permissions", "permissions"),
        ({"permissions": ["jobs:*"]}, "invalid_permissions", "permissions"),
        ({"permissions": ["jobs:read", "keys:write"]}, "invalid_permissions", "permissions"),
        ({"permissions": ["JOBS:READ"]}, "invalid_permissions", "permissions"),
        ({"expires_at": 1_800_000_000}, "invalid_field", "expires_at"),
        ({"expires_at": "tomorrow"}, "invalid_field", "expires_at"),
        ({"expires_at": "2024-02-29T12:00:00Z"}, "invalid_expires_at", "expires_at"),
        ({"created_by": str(uuid4())}, "unknown_field", "created_by"),
        ({"role": "owner"}, "unknown_field", "role"),
        ({"project_id": str(uuid4())}, "unknown_field", "project_id"),
    ],
)
async def test_a_wrong_body_is_refused_by_name(world: World, admin: str, body: dict[str, Any], code: str, named: str) -> None:
    answer = await create(world, admin, **body)
    assert refusal(answer) == (400, code)
    assert named in answer.json()["error"]
    assert len(await listed(world, admin)) == 1


async def test_nobody_makes_a_key_for_the_whole_system_over_http(world: World) -> None:
    for role in ("admin", "owner"):
        refused = await create(world, await world.token_of(role), permissions=["jobs:read", "system:read"])
        assert refusal(refused) == (403, "insufficient_role")
        assert "system:read" in refused.json()["error"]


@pytest.mark.slow
async def test_a_key_is_good_until_it_expires(world: World, admin: str) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    made = (await create(world, admin, expires_at=soon)).json()
    assert (await world.list(as_=made["api_key"])).status_code == 200
    await world.conn.execute("update api_keys set expires_at = now() where id = $1", UUID(made["id"]))

    async def refused() -> bool:
        return (await world.list(as_=made["api_key"])).status_code == 401

    async with asyncio.timeout(1):
        await until(refused, "the refusal of a key that has expired")


@pytest.mark.slow
async def test_a_revoked_key_is_refused_by_every_server_within_a_second(
    world: World, admin: str, database_url: str, tmp_path: Path
) -> None:
    made = (await create(world, admin)).json()
    headers = {"authorization": f"Bearer {made['api_key']}"}
    with serve(database_url, tmp_path) as second:
        urls = [f"{url}/v1/job-types" for url in (world.served.url, second.url)]
        assert [(await world.http.get(url, headers=headers)).status_code for url in urls] == [200, 200]
        answer = await revoke(world, admin, made["id"])
        assert (answer.status_code, answer.json()) == (200, {"revoked": True})

        async def refused() -> bool:
            return [(await world.http.get(url, headers=headers)).status_code for url in urls] == [401, 401]

        async with asyncio.timeout(1):
            await until(refused, "the refusal of a revoked key")


async def test_revoking_once_more_changes_nothing(world: World, admin: str) -> None:
    made = (await create(world, admin)).json()
    await revoke(world, admin, made["id"])
    before = await listed(world, admin)
    assert (await revoke(world, admin, made["id"])).json() == {"revoked": True}
    assert await listed(world, admin) == before
    assert await world.audited() == ["create api_key", "delete api_key"]


async def test_unknown_foreign_and_malformed_keys_are_the_same_404(world: World, admin: str) -> None:
    other_team, _ = await world.add_team()
    theirs = await world.add_key(team_id=other_team)
    foreign = await world.conn.fetchval("select id from api_keys where last4 = $1", theirs[-4:])
    answers = [await revoke(world, admin, key_id) for key_id in (uuid4(), foreign, "nope")]
    assert {(answer.status_code, answer.content) for answer in answers} == {(404, answers[0].content)}
    assert (await world.send("GET", "/v1/auth/whoami", as_=theirs)).status_code == 200


async def test_a_key_cannot_look_at_keys(world: World) -> None:
    key_id = await world.conn.fetchval("select id from api_keys")
    answers = [await world.send("GET", path(world)), await create(world, world.key), await revoke(world, world.key, key_id)]
    assert {refusal(answer) for answer in answers} == {(403, "insufficient_permission")}


async def test_the_order_of_checks_is_credential_role_request_object(world: World, admin: str) -> None:
    other_team, _ = await world.add_team()
    assert (await create(world, None, name="")).status_code == 401
    assert refusal(await create(world, world.key, name="")) == (403, "insufficient_permission")
    assert refusal(await create(world, await world.token_of("member"), name="")) == (403, "insufficient_role")
    for team_id in (other_team, uuid4(), "nope"):
        assert refusal(await create(world, admin, team_id, name="")) == (403, "not_a_member")
        assert refusal(await revoke(world, admin, uuid4(), team_id)) == (403, "not_a_member")
    assert refusal(await create(world, admin, name="", permissions=["system:read"])) == (400, "invalid_name")
