"""What was posted to a webhook: its log, and each message with what was sent and answered."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tawny import notifications
from tawny.access import WRITE_NOTIFICATIONS
from tawny.api import parameters
from tawny.dashboard.page import page
from tawny.dashboard.reply import Reply
from tawny.dashboard.settings import SETTINGS, show_tab
from tawny.dashboard.visit import Visit
from tawny.notifications import Posted, TeamWebhook

WEBHOOKS: Final = f"{SETTINGS}/webhooks"
ONE: Final = f"{WEBHOOKS}/{{webhook_id}}"
POST: Final = f"{ONE}/deliveries/{{delivery_id}}"

A_PAGE: Final = 25

_SOON: Final = timedelta(seconds=30)


@page("GET", POST, needs=WRITE_NOTIFICATIONS)
async def view_post(visit: Visit) -> Reply:
    """A message: what was sent, and what was answered each time."""
    webhook = await webhook_of(visit)
    async with visit.state.pool.acquire() as conn:
        found = await notifications.find_delivery(conn, visit.actor, visit.team.id, webhook.id, visit.call.id("delivery_id"))
    return show_tab(visit, "post.html", "settings/webhooks", webhook=webhook, post=found, posted=found.posted)


@page("POST", f"{POST}/redeliver", needs=WRITE_NOTIFICATIONS)
async def post_again(visit: Visit) -> Reply:
    """Post it once more."""
    webhook_id, delivery_id = visit.call.id("webhook_id"), visit.call.id("delivery_id")
    async with visit.state.pool.transaction() as conn:
        await notifications.redeliver(conn, visit.actor, visit.team.id, webhook_id, delivery_id)
    return visit.go(visit.path(f"settings/webhooks/{webhook_id}"))


PAGES: Final = (view_post, post_again)


async def webhook_of(visit: Visit) -> TeamWebhook:
    """The webhook of the address; NotFound."""
    async with visit.state.pool.acquire() as conn:
        return await notifications.find_webhook(conn, visit.actor, visit.team.id, visit.call.id("webhook_id"))


async def log_of(visit: Visit, webhook: TeamWebhook) -> dict[str, Any]:
    """What `_posts.html` shows: the posts that the address asks for."""
    here, after = f"settings/webhooks/{webhook.id}", parameters.position(visit.query)
    async with visit.state.pool.acquire() as conn:
        found = await notifications.list_deliveries(conn, visit.actor, visit.team.id, webhook.id, after=after, limit=A_PAGE)
    return {
        "webhook": webhook,
        "posts": found.deliveries,
        "older": visit.path(here, cursor=found.cursor) if found.cursor else None,
        "newest": visit.path(here) if after else None,
        "again": visit.path(here, **visit.query) if _changes_soon(found.deliveries) else None,
    }


def _changes_soon(posts: Iterable[Posted]) -> bool:
    """Whether somebody who looks at these sees one change in a moment."""
    return any(post.due_at is not None and post.due_at < datetime.now(UTC) + _SOON for post in posts)
