"""Look at a project's subscribers, newest first."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from tawny.access import VIEW_SUBSCRIBERS, Actor, find_project_for
from tawny.db.pool import Connection
from tawny.integrations.revenuecat.statements import queries

_END: Final = datetime(9999, 12, 31, tzinfo=UTC)
_LAST_ID: Final = UUID(int=2**128 - 1)

COLUMNS: Final = (
    "app_user_id",
    "status",
    "active",
    "entitlements",
    "total_revenue_usd_cents",
    "created_at",
    "last_seen_at",
    "synced_at",
)
PROPERTIES: Final = ("rc_product", "rc_period_type", "rc_billing_period", "rc_will_renew", "rc_environment", "rc_alias_of")

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@dataclass(frozen=True, slots=True)
class Which:
    """Which of them. `after`: behind the one with this time and id."""

    status: str | None = None
    entitlement: str | None = None
    after: tuple[datetime, UUID] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """The public JSON of some subscribers, and the cursor of the last of them when more follow."""

    subscribers: list[str]
    cursor: str | None


async def list_subscribers(conn: Connection, actor: Actor, project_id: UUID, *, which: Which, limit: int) -> Page:
    """List a project's subscribers, newest first; NotFound for a project that is not for this actor."""
    project = await find_project_for(conn, actor, project_id, VIEW_SUBSCRIBERS)
    before, before_id = which.after or (_END, _LAST_ID)
    given: dict[str, Any] = {"team_id": project.team_id, "project_id": project_id, "before": before, "before_id": before_id}
    rows = await _fetch(conn, which, given | {"at_most": limit + 1})
    page = rows[:limit]
    return Page([row["subscriber"] for row in page], page[-1]["cursor"] if len(rows) > limit else None)


async def _fetch(conn: Connection, which: Which, given: dict[str, Any]) -> list[Any]:
    match which.status, which.entitlement:
        case None, None:
            rows = await queries.page(conn, **given)
        case status, None:
            rows = await queries.page_by_status(conn, **given, status=status)
        case None, entitlement:
            rows = await queries.page_by_entitlement(conn, **given, entitlement=entitlement)
        case status, entitlement:
            rows = await queries.page_by_both(conn, **given, status=status, entitlement=entitlement)
    return list(rows)


def as_csv(subscribers: Sequence[str]) -> str:
    """These subscribers as a table for spreadsheets, which take no cell of it for a formula."""
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow((*COLUMNS, *PROPERTIES))
    for text in subscribers:
        one = json.loads(text)
        one["entitlements"] = " ".join(one["entitlements"])
        cells = [one[name] for name in COLUMNS] + [one["properties"].get(name) for name in PROPERTIES]
        table.writerow([_cell(cell) for cell in cells])
    return out.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
