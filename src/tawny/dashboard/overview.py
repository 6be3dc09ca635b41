"""How a team's runs are doing, and what needs attention."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tawny import history, notifications
from tawny.access import LIST_RUNS, WRITE_NOTIFICATIONS
from tawny.dashboard.attention import Need, needs_attention, of_webhook
from tawny.dashboard.page import TEAM, page
from tawny.dashboard.reply import Reply
from tawny.dashboard.runs import team_job_types
from tawny.dashboard.visit import Visit
from tawny.history import Hour, Summary
from tawny.notifications import TeamWebhook

PERIOD: Final = "24h"


@dataclass(frozen=True, slots=True)
class Card:
    """Something that needs attention, and where it can be looked at."""

    need: Need
    href: str


@page("GET", f"{TEAM}/overview", needs=LIST_RUNS)
async def overview(visit: Visit) -> Reply:
    """Counters, the last 24 hours, and each job type; for htmx only what changes."""
    async with visit.state.pool.acquire() as conn:
        found = await history.stats(conn, visit.actor, visit.team.id, job_types=team_job_types(visit))
        webhooks = await notifications.list_webhooks(conn, visit.actor, visit.team.id) if visit.may(WRITE_NOTIFICATIONS) else []
    return visit.show(
        "_overview.html" if visit.is_fragment else "overview.html",
        stats=found,
        cards=[*(Card(need, _where(visit, need)) for need in needs_attention(found)), *_of_webhooks(visit, webhooks)],
        of_status={status: _of_status(visit, status) for status in ("pending", "running", "completed", "failed", "cancelled")},
        chart=_chart(found.hours),
        nothing_yet=_is_empty(found.runs),
    )


def _where(visit: Visit, need: Need) -> str:
    match need.kind:
        case "failing":
            return visit.path("errors", job_type=need.job_type, since=PERIOD)
        case "webhook":
            return visit.path("settings/webhooks")
        case "no_worker" | "not_taken" | "backlog":
            return _of_status(visit, "pending", need.job_type)


def _of_webhooks(visit: Visit, webhooks: Iterable[TeamWebhook]) -> Iterator[Card]:
    for webhook in webhooks:
        if webhook.disabled_because is not None:
            yield Card(of_webhook(webhook), visit.path(f"settings/webhooks/{webhook.id}"))


def _of_status(visit: Visit, status: str, job_type: str | None = None) -> str:
    """The runs behind a number: all that are active, of those that have ended those of the last day."""
    since = None if status in ("pending", "running") else PERIOD
    return visit.path("runs", status=status, job_type=job_type, since=since)


def _chart(hours: Sequence[Hour]) -> str:
    """The hours as the chart reads them. An hour whose runs are not all counted has the share of those that are."""
    return json.dumps(
        {
            "at": [int(hour.at.timestamp()) for hour in hours],
            "completed": [hour.completed for hour in hours],
            "failed": [hour.failed for hour in hours],
            "cancelled": [hour.cancelled for hour in hours],
            "capped": [hour.capped for hour in hours],
            "share": [_share(hour) for hour in hours],
        }
    )


def _share(hour: Hour) -> float | None:
    carried_out = hour.completed + hour.failed
    return round(hour.failed / carried_out, 4) if carried_out else None


def _is_empty(runs: Summary) -> bool:
    return not any(count.count for count in (runs.pending, runs.running, runs.completed, runs.failed, runs.cancelled))


PAGES: Final = (overview,)
