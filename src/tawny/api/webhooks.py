"""Where a team's news are posted to, and what became of each post."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import Field

from tawny import notifications
from tawny.access import WRITE_NOTIFICATIONS
from tawny.api import parameters
from tawny.api.answers import Answer, answered
from tawny.api.call import Call
from tawny.api.envelope import Answered, Query, Strict, checked
from tawny.api.operation import operation
from tawny.api.parameters import LIMIT_DEFAULT, LIMIT_MAX
from tawny.api.preferences import TAG
from tawny.api.projects import Deleted
from tawny.errors import InvalidRequest
from tawny.notifications import OVERLAP_HOURS, OVERLAP_MOST, Format, RunEvent

PATH: Final = "/v1/teams/{team_id}/webhooks"

_KNOWN: Final = frozenset({"limit", "cursor"})
_URL: Final = "Where to post: a public address, by https."
_EVENTS: Final = "Some of `completed`, `failed`, `cancelled`."


class NewWebhookBody(Strict):
    """A webhook to be made."""

    name: str = Field(description="What people call it.")
    url: str = Field(description=_URL)
    format: str | None = Field(None, description="`json` (unless given), or `slack` for what takes Slack's incoming webhooks.")
    events: list[str] | None = Field(None, description=f"{_EVENTS} All unless given.")


class WebhookBody(Strict):
    """What to change. What is left out stays as it is."""

    name: str | None = Field(None, description="What people call it.")
    url: str | None = Field(None, description=_URL)
    events: list[str] | None = Field(None, description=_EVENTS)
    enabled: bool | None = Field(None, description="False: nothing is posted until it is true again.")


class RotateBody(Strict):
    """For how long the old secret goes on."""

    overlap_hours: int | None = Field(
        None, description=f"Hours for which the old secret signs too: 0 to {OVERLAP_MOST}, {OVERLAP_HOURS} unless given."
    )


class Webhook(Answered):
    """Where a team's news are posted to."""

    id: UUID
    team_id: UUID
    name: str
    format: Format
    events: list[RunEvent]
    url: str = Field(description="Where it leads; of the path no more than four characters, since it may be a secret.")
    enabled: bool
    disabled_because: str | None = Field(description="Why Tawny disabled it.")
    old_secret_until: datetime | None = Field(description="Until when messages are signed with the secret before this one too.")
    created_at: datetime
    updated_at: datetime


class NewWebhook(Webhook):
    """A webhook with its secret, which is shown only now."""

    secret: str = Field(description="What its messages are signed with.")


class Webhooks(Answered):
    """Oldest first."""

    webhooks: list[Webhook]


class Delivery(Answered):
    """One message to a webhook. Its id is in the header `webhook-id`."""

    id: UUID
    webhook_id: UUID
    run_id: UUID | None = Field(description="Null: a test.")
    event: str = Field(description="How the run ended, or `test`.")
    status: Literal["pending", "delivered", "failed"]
    tries: int
    due_at: datetime | None = Field(description="When the next try is due; null once it has ended.")
    created_at: datetime
    ended_at: datetime | None


class Try(Answered):
    """What became of one try."""

    at: datetime
    seconds: float
    status: int | None = Field(description="What was answered; null: nothing.")
    answer: str | None = Field(description="The beginning of the answer.")
    error: str | None = Field(description="Why it was not taken.")


class DeliveryInFull(Delivery):
    """A message, what was sent, and what became of it."""

    request: str | None = Field(description="The body, at most 10,000 characters of it; null before the first try.")
    log: list[Try] = Field(description="The last twenty tries, oldest first.")


class Deliveries(Answered):
    """Some deliveries, newest first."""

    deliveries: list[Delivery]
    cursor: str | None = Field(description="Send it to get the next page; null on the last one.")
    has_more: bool


class DeliveriesQuery(Query):
    """Which page."""

    limit: int = Field(LIMIT_DEFAULT, ge=1, le=LIMIT_MAX, description="How many deliveries a page has at most.")
    cursor: str | None = Field(None, description="The `cursor` of the page before.")


@operation("GET", PATH, tag=TAG, answer=Webhooks, refuses=(403,))
async def list_webhooks(call: Call) -> Answer:
    """List where a team's news are posted to. Needs a user with the role admin or owner."""
    actor = await call.actor()
    async with call.state.pool.acquire() as conn:
        found = await notifications.list_webhooks(conn, actor, call.id("team_id"))
    return answered({"webhooks": [_shown(webhook) for webhook in found]})


@operation("POST", PATH, tag=TAG, answer=NewWebhook, status=201, body=NewWebhookBody, refuses=(403, 409))
async def create_webhook(call: Call) -> Answer:
    """Let news of a team be posted somewhere. Needs a user with the role admin or owner. The secret is shown only now."""
    actor, team_id = await call.actor(), call.id("team_id")
    actor.require(team_id, WRITE_NOTIFICATIONS)
    given = checked(NewWebhookBody, await call.body()).model_dump(exclude_none=True)
    given["target"] = await _target(call, given.pop("url"))
    async with call.state.pool.transaction() as conn:
        made = await notifications.create_webhook(conn, actor, call.state.keyring, team_id, **given)
    return answered(_shown(made.webhook) | {"secret": made.secret}, 201)


@operation("GET", f"{PATH}/{{webhook_id}}", tag=TAG, answer=Webhook, refuses=(403, 404))
async def view_webhook(call: Call) -> Answer:
    """View a webhook. Needs a user with the role admin or owner."""
    actor = await call.actor()
    async with call.state.pool.acquire() as conn:
        found = await notifications.find_webhook(conn, actor, call.id("team_id"), call.id("webhook_id"))
    return answered(_shown(found))


@operation("PATCH", f"{PATH}/{{webhook_id}}", tag=TAG, answer=Webhook, body=WebhookBody, refuses=(403, 404))
async def update_webhook(call: Call) -> Answer:
    """Change a webhook, disable it or enable it again. Needs a user with the role admin or owner."""
    actor, team_id = await call.actor(), call.id("team_id")
    actor.require(team_id, WRITE_NOTIFICATIONS)
    given = checked(WebhookBody, await call.body()).model_dump(exclude_none=True)
    if not given:
        raise InvalidRequest("Nothing to change: send a name, url, events or enabled.", code="nothing_to_change")
    if "url" in given:
        given["target"] = await _target(call, given.pop("url"))
    async with call.state.pool.transaction() as conn:
        changed = await notifications.update_webhook(conn, actor, call.state.keyring, team_id, call.id("webhook_id"), **given)
    return answered(_shown(changed))


@operation("POST", f"{PATH}/{{webhook_id}}/rotate-secret", tag=TAG, answer=NewWebhook, body=RotateBody, refuses=(403, 404))
async def rotate_secret(call: Call) -> Answer:
    """Sign with another secret, and for a while with the old one too. Needs a user with the role admin or owner.

    The new secret is shown only now.
    """
    actor, team_id = await call.actor(), call.id("team_id")
    actor.require(team_id, WRITE_NOTIFICATIONS)
    given = checked(RotateBody, await call.body()).model_dump(exclude_none=True)
    async with call.state.pool.transaction() as conn:
        made = await notifications.rotate_secret(conn, actor, call.state.keyring, team_id, call.id("webhook_id"), **given)
    return answered(_shown(made.webhook) | {"secret": made.secret})


@operation("DELETE", f"{PATH}/{{webhook_id}}", tag=TAG, answer=Deleted, refuses=(403, 404))
async def delete_webhook(call: Call) -> Answer:
    """Post nothing there any more, and forget its secret. Needs a user with the role admin or owner."""
    actor = await call.actor()
    async with call.state.pool.transaction() as conn:
        await notifications.delete_webhook(conn, actor, call.id("team_id"), call.id("webhook_id"))
    return answered({"deleted": True})


@operation("POST", f"{PATH}/{{webhook_id}}/test", tag=TAG, answer=Delivery, status=201, refuses=(403, 404, 409))
async def test_webhook(call: Call) -> Answer:
    """Post a message about nothing, to see whether it arrives. Needs a user with the role admin or owner."""
    actor = await call.actor()
    async with call.state.pool.transaction() as conn:
        made = await notifications.send_test(conn, actor, call.id("team_id"), call.id("webhook_id"))
    return answered(asdict(made), 201)


@operation("GET", f"{PATH}/{{webhook_id}}/deliveries", tag=TAG, answer=Deliveries, query=DeliveriesQuery, refuses=(400, 403, 404))
async def list_deliveries(call: Call) -> Answer:
    """List what was posted to a webhook in the last 30 days. Needs a user with the role admin or owner."""
    actor, team_id = await call.actor(), call.id("team_id")
    actor.require(team_id, WRITE_NOTIFICATIONS)
    given = parameters.read(call.query, _KNOWN)
    limit = parameters.number(given, "limit", default=LIMIT_DEFAULT, least=1, most=LIMIT_MAX)
    after = parameters.position(given)
    async with call.state.pool.acquire() as conn:
        page = await notifications.list_deliveries(conn, actor, team_id, call.id("webhook_id"), after=after, limit=limit)
    found = [asdict(delivery) for delivery in page.deliveries]
    return answered({"deliveries": found, "cursor": page.cursor, "has_more": page.cursor is not None})


@operation("GET", f"{PATH}/{{webhook_id}}/deliveries/{{delivery_id}}", tag=TAG, answer=DeliveryInFull, refuses=(403, 404))
async def view_delivery(call: Call) -> Answer:
    """View a message with what was sent and answered. Needs a user with the role admin or owner."""
    actor = await call.actor()
    async with call.state.pool.acquire() as conn:
        found = await notifications.find_delivery(conn, actor, *_of_delivery(call))
    log = [{field: entry.get(field) for field in Try.model_fields} for entry in found.log]
    return answered(asdict(found.posted) | {"request": found.request, "log": log})


@operation(
    "POST",
    f"{PATH}/{{webhook_id}}/deliveries/{{delivery_id}}/redeliver",
    tag=TAG,
    answer=Delivery,
    refuses=(403, 404, 409),
)
async def redeliver(call: Call) -> Answer:
    """Post a message once more, under the same id. Needs a user with the role admin or owner."""
    actor = await call.actor()
    async with call.state.pool.transaction() as conn:
        posted = await notifications.redeliver(conn, actor, *_of_delivery(call))
    return answered(asdict(posted))


OPERATIONS: Final = (
    list_webhooks,
    create_webhook,
    view_webhook,
    update_webhook,
    rotate_secret,
    delete_webhook,
    test_webhook,
    list_deliveries,
    view_delivery,
    redeliver,
)


async def _target(call: Call, url: str) -> notifications.Target:
    """Before any connection to the database is taken: a name may take seconds to be found."""
    return await notifications.check_target(url, private=call.state.settings.private_webhooks)


def _of_delivery(call: Call) -> tuple[UUID, UUID, UUID]:
    return call.id("team_id"), call.id("webhook_id"), call.id("delivery_id")


def _shown(webhook: notifications.TeamWebhook) -> dict[str, Any]:
    shown = asdict(webhook)
    shown["url"] = shown.pop("shown_url")
    return shown
