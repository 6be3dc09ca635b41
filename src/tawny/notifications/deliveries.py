"""What was posted to a webhook, and what it answered; for those who look after it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal
from uuid import UUID

from tawny.access import Actor, leave
from tawny.db.ids import uuid7
from tawny.db.pool import Connection
from tawny.errors import Conflict, NotFound
from tawny.notifications.delivery import Delivery, Outcome
from tawny.notifications.pauses import WEBHOOK_TRIES
from tawny.notifications.statements import queries
from tawny.notifications.webhooks import TeamWebhook, find_webhook

GIVEN_UP_AT_MOST: Final = 3
"""Messages in a row that nobody took, after which a webhook is disabled: with eight tries each, that is hours."""

_END: Final = datetime(9999, 12, 31, tzinfo=UTC)
_LAST_ID: Final = UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class Posted:
    """A delivery as the team of its webhook sees it. `due_at`: when the next try is due; None once it has ended."""

    id: UUID
    webhook_id: UUID
    run_id: UUID | None
    event: str
    status: Literal["pending", "delivered", "failed"]
    tries: int
    due_at: datetime | None
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class PostedInFull:
    """A delivery with what was sent (its first ten thousand characters) and what became of its last twenty tries."""

    posted: Posted
    request: str | None = field(repr=False)
    log: list[dict[str, Any]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class PostedPage:
    """Some deliveries, and the cursor of the last of them when more follow."""

    deliveries: list[Posted]
    cursor: str | None


async def list_deliveries(
    conn: Connection, actor: Actor, team_id: UUID, webhook_id: UUID, *, after: tuple[datetime, UUID] | None, limit: int
) -> PostedPage:
    """List what was posted to a webhook in the last thirty days, newest first. `after`: time and id of the last one of a page."""
    await find_webhook(conn, actor, team_id, webhook_id)
    before, last_id = after or (_END, _LAST_ID)
    rows = await queries.list_deliveries(
        conn, webhook_id=webhook_id, team_id=team_id, before=before, last_id=last_id, at_most=limit + 1
    )
    page = rows[:limit]
    return PostedPage([_posted(row) for row in page], page[-1]["cursor"] if len(rows) > limit else None)


async def find_delivery(conn: Connection, actor: Actor, team_id: UUID, webhook_id: UUID, delivery_id: UUID) -> PostedInFull:
    """Return a delivery to a webhook of this team; NotFound."""
    await find_webhook(conn, actor, team_id, webhook_id)
    row = await queries.find_delivery(conn, id=delivery_id, webhook_id=webhook_id, team_id=team_id)
    if row is None:
        raise NotFound("Delivery not found.")
    return PostedInFull(_posted(row), row["request"], json.loads(row["log"]))


async def redeliver(conn: Connection, actor: Actor, team_id: UUID, webhook_id: UUID, delivery_id: UUID) -> Posted:
    """Post it once more, now, under the same id.

    NotFound; Conflict with code `not_ended` while it is due anyway, and `webhook_disabled` while nothing is posted there.
    """
    _enabled(await find_webhook(conn, actor, team_id, webhook_id))
    row = await queries.redeliver(conn, id=delivery_id, webhook_id=webhook_id, team_id=team_id)
    if row is None:
        await find_delivery(conn, actor, team_id, webhook_id, delivery_id)
        raise Conflict("This delivery has not ended yet; it is tried again anyway.", code="not_ended")
    await leave(conn, actor, "update", "delivery", delivery_id, team_id=team_id, redelivered=True, webhook_id=webhook_id)
    return _posted(row)


async def send_test(conn: Connection, actor: Actor, team_id: UUID, webhook_id: UUID) -> Posted:
    """Post a message that is about nothing, to see whether it arrives; NotFound, and Conflict as `redeliver`."""
    _enabled(await find_webhook(conn, actor, team_id, webhook_id))
    row = await queries.insert_test(conn, id=uuid7(), team_id=team_id, webhook_id=webhook_id)
    await leave(conn, actor, "create", "delivery", row["id"], team_id=team_id, test=True, webhook_id=webhook_id)
    return _posted(row)


def _enabled(webhook: TeamWebhook) -> None:
    if not webhook.enabled:
        raise Conflict("This webhook is disabled; enable it first.", code="webhook_disabled")


def _posted(row: Mapping[str, Any]) -> Posted:
    names = ("id", "webhook_id", "run_id", "event", "status", "tries", "created_at", "ended_at")
    return Posted(**{name: row[name] for name in names}, due_at=row["due_at"] if row["status"] == "pending" else None)


async def count_against_webhook(tx: Connection, delivery: Delivery, outcome: Outcome, ended: bool) -> None:
    """Remember of a webhook whether messages are taken there; disable it, and tell the team's admins, when none is.

    What somebody has posted once more by hand, after all its tries, counts for it and not against it.
    """
    webhook = delivery.webhook
    if delivery.channel != "webhook" or webhook is None or not webhook.open:
        return
    if outcome.taken:
        await queries.webhook_took(tx, id=webhook.id)
    elif ended and outcome.begun and delivery.tries <= WEBHOOK_TRIES:
        because = f"{GIVEN_UP_AT_MOST} messages in a row were not taken. The last time: {_why(outcome)}."
        await queries.webhook_gave_up(tx, id=webhook.id, at_most=GIVEN_UP_AT_MOST, because=because)


def _why(outcome: Outcome) -> str:
    return f"it answered {outcome.status}" if outcome.status else (outcome.error or "nobody knows").rstrip(".")
