"""Who subscribes to a project's app, page by page, and as a table for spreadsheets."""

from __future__ import annotations

import json
from typing import Any, Final

from tawny.access import VIEW_SUBSCRIBERS
from tawny.api import parameters
from tawny.dashboard.integrations import ONE
from tawny.dashboard.page import page
from tawny.dashboard.projects import project_of
from tawny.dashboard.reply import Reply
from tawny.dashboard.visit import Visit
from tawny.integrations import revenuecat
from tawny.integrations.revenuecat import Which

STATUSES: Final = ("active", "trialing", "cancelled", "billing_issue", "expired")
"""The usual ones; the address may name another."""

A_PAGE: Final = 50
A_BATCH: Final = 200
IN_A_TABLE: Final = 10_000
"""Subscribers in one table, the newest."""


@page("GET", f"{ONE}/subscribers", needs=VIEW_SUBSCRIBERS)
async def list_subscribers(visit: Visit) -> Reply:
    """The subscribers that the address asks for; for htmx only what changes."""
    project = await project_of(visit, visit.call.id("project_id"))
    here, given, after = f"integrations/{project.id}/subscribers", _given(visit), parameters.position(visit.query)
    async with visit.state.pool.acquire() as conn:
        found = await revenuecat.list_subscribers(conn, visit.actor, project.id, which=Which(**given, after=after), limit=A_PAGE)
    return visit.show(
        "_subscribers.html" if visit.is_fragment else "subscribers.html",
        project=project,
        rows=[json.loads(text) for text in found.subscribers],
        given=given,
        usual=STATUSES,
        here=visit.path(here),
        older=visit.path(here, **given, cursor=found.cursor) if found.cursor else None,
        newest=visit.path(here, **given) if after else None,
        table=visit.path(f"{here}.csv", **given),
        in_a_table=IN_A_TABLE,
    )


@page("GET", f"{ONE}/subscribers.csv", needs=VIEW_SUBSCRIBERS)
async def subscribers_table(visit: Visit) -> Reply:
    """The newest of those as CSV."""
    project, given = await project_of(visit, visit.call.id("project_id")), _given(visit)
    subscribers: list[str] = []
    cursor: str | None = None
    async with visit.state.pool.acquire() as conn:
        while len(subscribers) < IN_A_TABLE:
            after = parameters.position({"cursor": cursor} if cursor else {})
            which = Which(**given, after=after)
            found = await revenuecat.list_subscribers(conn, visit.actor, project.id, which=which, limit=A_BATCH)
            subscribers += found.subscribers
            cursor = found.cursor
            if cursor is None:
                break
    headers = [(b"content-type", b"text/csv; charset=utf-8"), (b"content-disposition", b'attachment; filename="subscribers.csv"')]
    return Reply(200, revenuecat.as_csv(subscribers), headers)


PAGES: Final = (list_subscribers, subscribers_table)


def _given(visit: Visit) -> dict[str, Any]:
    return {name: visit.query[name][:255] for name in ("status", "entitlement") if name in visit.query}
