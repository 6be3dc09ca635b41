"""RevenueCat: syncs, what it tells by itself, and who subscribes."""

from __future__ import annotations

import json
from datetime import datetime
from time import time
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from pydantic import BaseModel, Field

from tawny.access import VIEW_SUBSCRIBERS, WRITE_INTEGRATIONS, require_role_in_project
from tawny.api import parameters
from tawny.api.answers import Answer, Header, answered
from tawny.api.call import Call
from tawny.api.envelope import ActiveRunError, Answered
from tawny.api.integrations import PATH, TAG
from tawny.api.operation import operation
from tawny.api.parameters import LIMIT_DEFAULT, LIMIT_MAX
from tawny.api.projects import actor_in_project
from tawny.api.strict_json import parse_object
from tawny.integrations import revenuecat
from tawny.integrations.revenuecat import SYNC, Shown, Which
from tawny.runs import choose_job

_AT: Final = f"{PATH}/revenuecat"
_KNOWN: Final = frozenset({"status", "entitlement", "limit", "cursor", "format"})
_FILE: Final[Header] = (b"content-disposition", b'attachment; filename="subscribers.csv"')
_WORD: Final = 255


class Syncing(Answered):
    """A sync was asked for."""

    syncing: bool
    total: int = Field(description="How many subscribers are known so far.")
    job_run_id: UUID


class Updated(Answered):
    """One subscriber was synced."""

    updated: int
    properties: dict[str, str]


class Tried(Answered):
    """The key may do all that a sync does."""

    ok: bool
    project_id: str = Field(description="RevenueCat's own id of the project.")


class Received(Answered):
    """The event was taken, or was there already."""

    received: bool


class Subscriber(Answered):
    """What is known of a subscriber."""

    app_user_id: str
    status: str | None = Field(description="`trialing`, `active`, `cancelled`, `billing_issue`, `expired`, or another word.")
    active: bool
    entitlements: list[str]
    total_revenue_usd_cents: int = Field(description="Of production, refunds taken off; 0 where another id of theirs counts it.")
    properties: dict[str, str]
    attributes: dict[str, str]
    created_at: datetime
    last_seen_at: datetime | None
    synced_at: datetime | None


class Subscribers(Answered):
    """Some subscribers, newest first."""

    subscribers: list[Subscriber]
    cursor: str | None = Field(description="Send it to get the next page; null on the last one.")
    has_more: bool


class SubscribersQuery(BaseModel):
    """Which subscribers."""

    status: str | None = Field(None, description="Only those with this status.")
    entitlement: str | None = Field(None, description="Only those with this entitlement, by its lookup key.")
    limit: int = Field(LIMIT_DEFAULT, ge=1, le=LIMIT_MAX)
    cursor: str | None = None
    format: str = Field("json", description="`json` or `csv`. The next page of a table is in the header `Link`.")


@operation("POST", f"{_AT}/sync", tag=TAG, answer=Syncing, also={409: ActiveRunError}, refuses=(403, 404))
async def sync_revenuecat(call: Call) -> Answer:
    """Sync a project's subscribers, in a run. Needs a key with `integrations:write`, or the role admin or owner."""
    actor = await actor_in_project(call, WRITE_INTEGRATIONS)
    call.state.pace.spend(actor)
    job = choose_job(call.state.jobs, SYNC)
    async with call.state.pool.transaction() as conn:
        connected = await revenuecat.find_connected(conn, actor, call.state.revenuecat, call.id("project_id"))
        asked = await revenuecat.ask_for_sync(conn, actor, job, connected)
    call.state.waker.wake()
    return answered({"syncing": True, "total": asked.total, "job_run_id": asked.run.id})


@operation("POST", f"{_AT}/sync/{{app_user_id:path}}", tag=TAG, answer=Updated, refuses=(400, 403, 404, 429, 502))
async def sync_subscriber(call: Call) -> Answer:
    """Sync one subscriber at once. Needs a key with `integrations:write`, or the role admin or owner."""
    actor, app_user_id = await actor_in_project(call, WRITE_INTEGRATIONS), call.text("app_user_id")
    revenuecat.check_app_user_id(app_user_id)
    pool = call.state.pool
    async with pool.acquire() as conn:
        connected = await revenuecat.find_connected(conn, actor, call.state.revenuecat, call.id("project_id"))
        marks = await revenuecat.marks_of(conn, connected.owner, app_user_id)
    found = await revenuecat.ask_for_one(call.state.revenuecat, connected, app_user_id, pool.transaction)
    async with pool.transaction() as conn:
        properties = await revenuecat.keep(conn, actor, connected.owner, found, marks)
    return answered({"updated": 1, "properties": properties})


@operation("POST", f"{_AT}/test", tag=TAG, answer=Tried, refuses=(400, 403, 404, 429, 502))
async def try_revenuecat(call: Call) -> Answer:
    """See whether the key may do all that a sync does. Needs a key with `integrations:write`, or the role admin or owner."""
    actor = await actor_in_project(call, WRITE_INTEGRATIONS)
    async with call.state.pool.acquire() as conn:
        connected = await revenuecat.find_connected(conn, actor, call.state.revenuecat, call.id("project_id"))
    project = await revenuecat.try_key(call.state.revenuecat, connected, call.state.pool.transaction)
    return answered({"ok": True, "project_id": project})


@operation("POST", "/v1/webhooks/revenuecat/{project_id}", tag=TAG, answer=Received, refuses=(400, 404, 408, 413), public=True)
async def receive_revenuecat(call: Call) -> Answer:
    """For RevenueCat: tell that something has happened to a subscriber, who is asked for at the next sync.

    Takes the header `Authorization` that `webhook-setup` shows, or `X-RevenueCat-Webhook-Signature: t=…,v1=…`. An event that
    comes twice counts once.
    """
    body, project_id = await call.raw_body(), call.id("project_id")
    shown = Shown(call.header(b"authorization"), call.header(b"x-revenuecat-webhook-signature"))
    async with call.state.pool.transaction() as conn:
        owner, secret = await revenuecat.receiver(conn, call.state.revenuecat, project_id)
        revenuecat.check_caller(shown, secret, body, time())
        await revenuecat.receive(conn, owner, revenuecat.read_event(parse_object(body)))
    return answered({"received": True})


@operation(
    "GET",
    "/v1/projects/{project_id}/subscribers",
    tag=TAG,
    answer=Subscribers,
    query=SubscribersQuery,
    refuses=(400, 403, 404),
)
async def list_subscribers(call: Call) -> Answer:
    """List a project's subscribers. Needs a key with `integrations:read`, or the role admin or owner."""
    actor, project_id = await call.actor(), call.id("project_id")
    async with call.state.pool.acquire() as conn:
        await require_role_in_project(conn, actor, project_id, VIEW_SUBSCRIBERS)
        given = parameters.read(call.query, _KNOWN)
        which = Which(_word(given, "status"), _word(given, "entitlement"), parameters.position(given))
        limit = parameters.number(given, "limit", default=LIMIT_DEFAULT, least=1, most=LIMIT_MAX)
        table = parameters.word(given, "format", ("json", "csv")) == "csv"
        page = await revenuecat.list_subscribers(conn, actor, project_id, which=which, limit=limit)
    return _table(given, page) if table else _listed(page)


OPERATIONS: Final = (sync_revenuecat, sync_subscriber, try_revenuecat, receive_revenuecat, list_subscribers)


def _word(given: parameters.Given, name: str) -> str | None:
    text = given.get(name)
    if text is not None and (len(text) > _WORD or not text.isprintable()):
        raise parameters.invalid(name, f"should be up to {_WORD} printable characters")
    return text


def _listed(page: revenuecat.Page) -> Answer:
    more = "false" if page.cursor is None else "true"
    subscribers = ",".join(page.subscribers)
    return Answer(200, f'{{"subscribers":[{subscribers}],"cursor":{json.dumps(page.cursor)},"has_more":{more}}}'.encode())


def _table(given: parameters.Given, page: revenuecat.Page) -> Answer:
    headers = [_FILE]
    if page.cursor is not None:
        query = urlencode({**given, "cursor": page.cursor})
        headers.append((b"link", f'<?{query}>; rel="next"'.encode()))
    return Answer(200, revenuecat.as_csv(page.subscribers).encode(), headers, kind=b"text/csv; charset=utf-8")
