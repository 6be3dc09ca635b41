"""Webhooks of a team: made with a secret that is shown once, changed, tried, turned off and on, and deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from tawny import notifications
from tawny.access import WRITE_NOTIFICATIONS
from tawny.dashboard.page import page
from tawny.dashboard.posts import ONE, WEBHOOKS, log_of, webhook_of
from tawny.dashboard.reply import Reply
from tawny.dashboard.settings import show_tab
from tawny.dashboard.visit import Question, Visit
from tawny.errors import Conflict, InvalidRequest, RequestError
from tawny.notifications import FORMATS, RUN_EVENTS, NewWebhook, Target, TeamWebhook

OVERLAPS: Final = {"24": "a day", "168": "a week", "0": "no longer"}
"""For how many hours an old secret signs beside the new one."""


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the form of a webhook."""

    name: str = ""
    url: str = ""
    format: str = "json"
    events: tuple[str, ...] = RUN_EVENTS


@page("GET", WEBHOOKS, needs=WRITE_NOTIFICATIONS)
async def list_webhooks(visit: Visit) -> Reply:
    """Where the team's news are posted to, and the form for another place."""
    return await _shown(visit)


@page("POST", WEBHOOKS, needs=WRITE_NOTIFICATIONS)
async def make_webhook(visit: Visit) -> Reply:
    """Make a webhook and show its secret, which no later page has."""
    typed = _typed(visit)
    try:
        target = await _target(visit, typed.url)
        where = (visit.actor, visit.state.keyring, visit.team.id)
        async with visit.state.pool.transaction() as conn:
            made = await notifications.create_webhook(
                conn, *where, name=typed.name, target=target, format=typed.format, events=typed.events
            )
    except (InvalidRequest, Conflict) as error:
        return await _shown(visit, error, typed)
    return await _shown(visit, made=made)


@page("GET", ONE, needs=WRITE_NOTIFICATIONS)
async def view_webhook(visit: Visit) -> Reply:
    """A webhook, what can be done with it, and what was posted there; for htmx only the last."""
    webhook = await webhook_of(visit)
    if visit.is_fragment:
        return visit.show("_posts.html", **await log_of(visit, webhook))
    return await _one(visit, webhook)


@page("POST", ONE, needs=WRITE_NOTIFICATIONS)
async def change_webhook(visit: Visit) -> Reply:
    """Take what was typed; an address that was left empty stays as it is."""
    typed = _typed(visit)
    try:
        target = await _target(visit, typed.url) if typed.url else None
        await _update(visit, name=typed.name, target=target, events=typed.events)
    except InvalidRequest as error:
        return await _one(visit, await webhook_of(visit), error, typed)
    return _back(visit)


@page("POST", f"{ONE}/turn", needs=WRITE_NOTIFICATIONS)
async def turn_webhook(visit: Visit) -> Reply:
    """Turn it off, or on again."""
    await _update(visit, enabled=visit.form.text("to") == "on")
    return _back(visit)


@page("POST", f"{ONE}/test", needs=WRITE_NOTIFICATIONS)
async def test_webhook(visit: Visit) -> Reply:
    """Post a message about nothing; what becomes of it is seen on the page of the webhook."""
    async with visit.state.pool.transaction() as conn:
        await notifications.send_test(conn, visit.actor, visit.team.id, visit.call.id("webhook_id"))
    return _back(visit)


@page("POST", f"{ONE}/rotate-secret", needs=WRITE_NOTIFICATIONS)
async def rotate_webhook_secret(visit: Visit) -> Reply:
    """Sign with another secret, which is shown once, and for as long as was chosen with the old one too."""
    hours = visit.form.text("overlap_hours")
    if hours not in OVERLAPS:
        raise InvalidRequest("Choose for how long the old secret signs too.", code="invalid_overlap")
    where = (visit.actor, visit.state.keyring, visit.team.id, visit.call.id("webhook_id"))
    async with visit.state.pool.transaction() as conn:
        made = await notifications.rotate_secret(conn, *where, overlap_hours=int(hours))
    return await _one(visit, made.webhook, secret=made.secret)


@page("GET", f"{ONE}/delete", needs=WRITE_NOTIFICATIONS)
async def ask_to_delete_webhook(visit: Visit) -> Reply:
    """Ask whether a webhook is to go."""
    webhook = await webhook_of(visit)
    return visit.ask(
        Question(
            title=f"Delete the webhook “{webhook.name}”?",
            sentence=f"Nothing is posted to {webhook.shown_url} any more. Its secret and its log are gone.",
            action=visit.path(f"settings/webhooks/{webhook.id}/delete"),
            back=visit.path(f"settings/webhooks/{webhook.id}"),
            button="Delete the webhook",
            danger=True,
        )
    )


@page("POST", f"{ONE}/delete", needs=WRITE_NOTIFICATIONS)
async def delete_webhook(visit: Visit) -> Reply:
    """Post nothing there any more."""
    async with visit.state.pool.transaction() as conn:
        await notifications.delete_webhook(conn, visit.actor, visit.team.id, visit.call.id("webhook_id"))
    return visit.go(visit.path("settings/webhooks"))


PAGES: Final = (
    list_webhooks,
    make_webhook,
    view_webhook,
    change_webhook,
    turn_webhook,
    test_webhook,
    rotate_webhook_secret,
    ask_to_delete_webhook,
    delete_webhook,
)


def _typed(visit: Visit) -> Typed:
    form = visit.form
    return Typed(form.text("name"), form.text("url").strip(), form.text("format"), tuple(form.all("events")))


async def _target(visit: Visit, url: str) -> Target:
    """Before any connection to the database is taken: a name may take seconds to be found."""
    return await notifications.check_target(url, private=visit.state.settings.private_webhooks)


async def _update(visit: Visit, **changes: Any) -> None:
    where = (visit.actor, visit.state.keyring, visit.team.id, visit.call.id("webhook_id"))
    async with visit.state.pool.transaction() as conn:
        await notifications.update_webhook(conn, *where, **changes)


def _back(visit: Visit) -> Reply:
    return visit.go(visit.path(f"settings/webhooks/{visit.call.id('webhook_id')}"))


async def _one(
    visit: Visit,
    webhook: TeamWebhook,
    error: RequestError | None = None,
    typed: Typed | None = None,
    secret: str | None = None,
) -> Reply:
    return show_tab(
        visit,
        "webhook.html",
        "settings/webhooks",
        error=error,
        run_events=RUN_EVENTS,
        typed=typed or Typed(webhook.name, events=tuple(webhook.events)),
        overlaps=OVERLAPS,
        secret=secret,
        **await log_of(visit, webhook),
    )


async def _shown(
    visit: Visit, error: RequestError | None = None, typed: Typed | None = None, made: NewWebhook | None = None
) -> Reply:
    async with visit.state.pool.acquire() as conn:
        webhooks = await notifications.list_webhooks(conn, visit.actor, visit.team.id)
    return show_tab(
        visit,
        "webhooks.html",
        "settings/webhooks",
        error=error,
        webhooks=webhooks,
        formats=FORMATS,
        run_events=RUN_EVENTS,
        typed=typed or Typed(),
        made=made.webhook if made else None,
        secret=made.secret if made else None,
    )
