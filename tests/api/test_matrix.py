"""Every operation, asked for by every kind of caller with everything else about the request right.

What each gets is in `tests/laws/matrix.csv`, which was written by hand from the published table of who may do what. A law keeps
its rows and the operations of the OpenAPI document the same.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from api.world import World, app
from tawny import integrations, notifications, schedules
from tawny.access import PERMISSIONS, Actor, invite
from tawny.access.key_text import new_key
from tawny.access.operations import HOST_PERMISSIONS
from tawny.db.ids import uuid7
from tawny.notifications.target import read_url
from tawny.testing.revenuecat import FakeRevenueCat, Key

FILE = Path(__file__).parents[1] / "laws" / "matrix.csv"

with FILE.open() as lines:
    ROWS = {row.pop("operation"): row for row in csv.DictReader(lines)}

CALLERS = list(next(iter(ROWS.values())))
OF_TEAMS = tuple(permission for permission in PERMISSIONS if permission not in HOST_PERMISSIONS)
LAST = "POST /v1/auth/logout"
"""After it a user is nobody any more."""


@dataclass
class Caller:
    """A credential, and the user behind it if there is one."""

    credential: str | None
    user_id: UUID | None = None


@dataclass
class Right:
    """What makes a request right: what its path names besides the team, and its body."""

    body: dict[str, Any] | None = None
    path: dict[str, Any] = field(default_factory=dict)


async def caller_of(world: World, kind: str) -> Caller:
    match kind:
        case "none":
            return Caller(None)
        case "wrong":
            return Caller(new_key()[0])
        case "expired" | "revoked":
            key = await world.add_key(*OF_TEAMS)
            column = {"expired": "expires_at", "revoked": "revoked_at"}[kind]
            await world.conn.execute(f"update api_keys set {column} = now() where last4 = $1", key[-4:])
            return Caller(key)
        case "demoted":
            maker = await world.add_user("admin")
            key = await world.add_key(*OF_TEAMS, maker=maker)
            await world.conn.execute("update memberships set role = 'member' where user_id = $1", maker.id)
            return Caller(key)
        case "read" | "write":
            return Caller(await world.add_key(*(permission for permission in OF_TEAMS if permission.endswith(f":{kind}"))))
        case "member" | "admin":
            return await signed_in(world, (await world.add_user(kind)).id)
        case "owner":
            return await signed_in(world, world.owner_id)
        case "other":
            return await signed_in(world, (await world.add_team())[1])
        case "other_key":
            return Caller(await world.add_key(*OF_TEAMS, team_id=(await world.add_team())[0]))
    raise AssertionError(f"who is {kind}?")


async def signed_in(world: World, user_id: UUID) -> Caller:
    return Caller(await world.token(user_id), user_id)


async def right_requests(world: World, caller: Caller) -> dict[str, Right]:
    """By operation; what is missing takes only the team."""
    here = {"project_id": world.project_id}
    ended = await world.ended(project_id=str(await world.add_project()))
    _, running = await world.running()
    run = {"run_id": running.id}
    source = await connected(world)
    config = {"api_key": "sk_of_the_matrix"}
    return {
        "POST /v1/auth/send-code": Right({"email": f"{uuid7()}@example.com"}),
        "POST /v1/auth/verify-code": Right(await proof(world)),
        "POST /v1/auth/agent-login": Right(await proof(world)),
        "POST /v1/teams/{team_id}/jobs/trigger": Right({"job_type": "export", "project_id": str(await world.add_project())}),
        "POST /v1/teams/{team_id}/jobs/bulk": Right({"action": "cancel", "filter": {"status": "running"}}),
        "GET /v1/jobs/{run_id}": Right(path=run),
        "GET /v1/jobs/{run_id}/timeline": Right(path=run),
        "GET /v1/jobs/{run_id}/logs": Right(path=run),
        "GET /v1/jobs/{run_id}/events": Right(path=run),
        "POST /v1/jobs/{run_id}/cancel": Right(path=run),
        "POST /v1/jobs/{run_id}/retry": Right(path={"run_id": ended}),
        "POST /v1/projects": Right({"team_id": str(world.team_id), "name": "New", "slug": "new"}),
        "GET /v1/projects/{project_id}": Right(path=here),
        "PATCH /v1/projects/{project_id}": Right({"name": "Renamed"}, here),
        "DELETE /v1/projects/{project_id}": Right(path={"project_id": await world.add_project()}),
        "GET /v1/projects/{project_id}/schedules": Right(path=here),
        "POST /v1/projects/{project_id}/schedules": Right({"job_type": "export", "cron": "0 2 * * *"}, here),
        "GET /v1/projects/{project_id}/schedules/{schedule_id}": Right(path=await scheduled(world)),
        "PATCH /v1/projects/{project_id}/schedules/{schedule_id}": Right({"enabled": False}, await scheduled(world)),
        "DELETE /v1/projects/{project_id}/schedules/{schedule_id}": Right(path=await scheduled(world)),
        "POST /v1/projects/{project_id}/schedules/{schedule_id}/run": Right(path=await scheduled(world)),
        "GET /v1/projects/{project_id}/integrations/providers": Right(path=here),
        "GET /v1/projects/{project_id}/integrations": Right(path=here),
        "POST /v1/projects/{project_id}/integrations": Right({"provider": "revenuecat", "config": config}, here),
        "PATCH /v1/projects/{project_id}/integrations/{provider}": Right({"enabled": False}, await connected(world)),
        "DELETE /v1/projects/{project_id}/integrations/{provider}": Right(path=await connected(world)),
        "POST /v1/projects/{project_id}/integrations/copy-from/{source_project_id}": Right(
            {"provider": "revenuecat"}, {"project_id": await world.add_project(), "source_project_id": source["project_id"]}
        ),
        "GET /v1/projects/{project_id}/integrations/{provider}/webhook-setup": Right(path=source),
        "POST /v1/projects/{project_id}/integrations/revenuecat/sync": Right(path=await connected(world)),
        "POST /v1/projects/{project_id}/integrations/revenuecat/sync/{app_user_id}": Right(
            path=source | {"app_user_id": "user-0"}
        ),
        "POST /v1/projects/{project_id}/integrations/revenuecat/test": Right(path=source),
        "GET /v1/projects/{project_id}/subscribers": Right(path=here),
        "POST /v1/webhooks/revenuecat/{project_id}": Right({"event": {"id": "1"}}, source),
        "POST /v1/teams/{team_id}/keys": Right({"name": "New", "permissions": ["jobs:read"]}),
        "DELETE /v1/teams/{team_id}/keys/{key_id}": Right(path={"key_id": await key_id(world)}),
        "PATCH /v1/teams/{team_id}/members/{user_id}": Right({"role": "admin"}, await bystander(world)),
        "DELETE /v1/teams/{team_id}/members/{user_id}": Right(path=await bystander(world)),
        "PATCH /v1/teams/{team_id}/preferences": Right({"mail_events": ["failed"]}),
        "POST /v1/teams/{team_id}/webhooks": Right({"name": "Bot", "url": "https://8.8.8.8/"}),
        "GET /v1/teams/{team_id}/webhooks/{webhook_id}": Right(path=await webhook(world)),
        "PATCH /v1/teams/{team_id}/webhooks/{webhook_id}": Right({"name": "Bot"}, await webhook(world)),
        "POST /v1/teams/{team_id}/webhooks/{webhook_id}/rotate-secret": Right({}, await webhook(world)),
        "DELETE /v1/teams/{team_id}/webhooks/{webhook_id}": Right(path=await webhook(world)),
        "POST /v1/teams/{team_id}/webhooks/{webhook_id}/test": Right(path=await webhook(world)),
        "GET /v1/teams/{team_id}/webhooks/{webhook_id}/deliveries": Right(path=await webhook(world)),
        "GET /v1/teams/{team_id}/webhooks/{webhook_id}/deliveries/{delivery_id}": Right(path=await posted(world)),
        "POST /v1/teams/{team_id}/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver": Right(path=await posted(world)),
        "POST /v1/teams/{team_id}/invitations": Right({"email": f"{uuid7()}@example.com"}),
        "DELETE /v1/teams/{team_id}/invitations/{invitation_id}": Right(path=await invited(world, world.team_id)),
        "POST /v1/invitations/{invitation_id}/accept": Right(path=await invited(world, (await world.add_team())[0], caller)),
    }


async def proof(world: World) -> dict[str, Any]:
    """The address of a user in one team, and a code that is good for it."""
    email = await world.address_of((await bystander(world))["user_id"])
    return {"email": email, "code": await world.code_for(email)}


async def connected(world: World) -> dict[str, Any]:
    """A project with an integration."""
    project_id = await world.add_project()
    keyring = world.served.api.state.tawny.keyring
    config = {"api_key": Key().secret}
    await integrations.connect(world.conn, world.owner, keyring, project_id, provider="revenuecat", config=config)
    return {"project_id": project_id, "provider": "revenuecat"}


async def scheduled(world: World) -> dict[str, Any]:
    """A project with a schedule."""
    project_id = await world.add_project()
    made = await schedules.create_schedule(world.conn, world.owner, app.jobs, project_id, job_type="export", cron="0 2 * * *")
    return {"project_id": project_id, "schedule_id": made.id}


async def webhook(world: World) -> dict[str, Any]:
    target = read_url("https://8.8.8.8/", private=False)
    keyring = world.served.api.state.tawny.keyring
    made = await notifications.create_webhook(world.conn, world.owner, keyring, world.team_id, name="Bot", target=target)
    return {"webhook_id": made.webhook.id}


async def posted(world: World) -> dict[str, Any]:
    """A delivery to a webhook, which has ended."""
    path = await webhook(world)
    sent = await notifications.send_test(world.conn, world.owner, world.team_id, path["webhook_id"])
    await world.conn.execute("update deliveries set status = 'failed', ended_at = now() where id = $1", sent.id)
    return path | {"delivery_id": sent.id}


async def key_id(world: World) -> UUID:
    key = await world.add_key()
    found: UUID = await world.conn.fetchval("select id from api_keys where last4 = $1", key[-4:])
    return found


async def bystander(world: World) -> dict[str, Any]:
    return {"user_id": (await world.add_user("member")).id}


async def invited(world: World, team_id: UUID, caller: Caller | None = None) -> dict[str, Any]:
    """An invitation into this team: the caller's, or else somebody's."""
    known = caller is not None and caller.user_id is not None
    email = await world.address_of(caller.user_id) if known else f"{uuid7()}@example.com"
    invitation = await invite(world.conn, Actor.host(), team_id, email=email, role="member")
    return {"invitation_id": invitation.id}


async def status_of(world: World, method: str, path: str, caller: Caller, **more: Any) -> int:
    """Of a stream, which has no end, only the beginning is read."""
    headers = {"authorization": f"Bearer {caller.credential}"} if caller.credential else {}
    async with world.http.stream(method, path, headers=headers, **more) as answer:
        return answer.status_code


@pytest.mark.parametrize("kind", CALLERS)
async def test_each_caller_gets_what_the_matrix_says(world: World, fake: FakeRevenueCat, kind: str) -> None:
    caller = await caller_of(world, kind)
    right = await right_requests(world, caller)
    expected = {operation: int(row[kind]) for operation, row in ROWS.items()}
    got = {}
    for operation in sorted(ROWS, key=lambda operation: operation == LAST):
        method, path = operation.split()
        asked = right.pop(operation, Right())
        more = {} if asked.body is None else {"json": asked.body}
        path = path.format(team_id=world.team_id, **asked.path)
        got[operation] = await status_of(world, method, path, caller, **more)
    assert not right, "requests for operations that there are not"
    assert got == expected
