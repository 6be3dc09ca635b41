"""Who did what in a team, page by page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from tawny import access
from tawny.access import ACTIONS, RESOURCES, VIEW_AUDIT_LOG
from tawny.api.audit import parse_audit_query
from tawny.dashboard.page import page
from tawny.dashboard.people import names_of, who
from tawny.dashboard.reply import Reply
from tawny.dashboard.runs import PERIODS
from tawny.dashboard.settings import SETTINGS, show_tab
from tawny.dashboard.visit import Visit

FILTERS: Final = ("resource_type", "action", "actor_id", "since", "until", "resource_id")

DEEDS: Final = {"create": "Made", "update": "Changed", "delete": "Deleted"}
THINGS: Final = {
    "api_key": "agent key",
    "delivery": "delivery",
    "integration": "integration",
    "invitation": "invitation",
    "job_run": "run",
    "mcp_call": "call of an agent",
    "member": "member",
    "preferences": "mail preferences",
    "project": "project",
    "schedule": "schedule",
    "session": "session",
    "sign_in_link": "sign-in link",
    "subscriber": "subscriber",
    "team": "team",
    "webhook": "webhook",
}
"""Each resource in words for people."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the log: `details` are fields with what they were and became, or just are."""

    made: Mapping[str, Any]
    who: str
    details: list[tuple[str, str]]


@page("GET", f"{SETTINGS}/audit-log", needs=VIEW_AUDIT_LOG)
async def audit_log(visit: Visit) -> Reply:
    """The entries that the address asks for, newest first."""
    given = {name: visit.query[name] for name in FILTERS if name in visit.query}
    cursor = {name: text for name, text in visit.query.items() if name == "cursor"}
    where, limit = parse_audit_query(urlencode(given | cursor).encode())
    async with visit.state.pool.acquire() as conn:
        found = await access.list_audit(conn, visit.actor, visit.team.id, where=where, limit=limit)
        names = await names_of(conn, visit)
    return show_tab(
        visit,
        "audit_log.html",
        "settings/audit-log",
        entries=[_entry(json.loads(text), names) for text in found.entries],
        older=visit.path("settings/audit-log", **given, cursor=found.cursor) if found.cursor else None,
        newest=visit.path("settings/audit-log", **given) if cursor else None,
        given=given,
        deeds={action: DEEDS[action] for action in ACTIONS},
        things={resource: THINGS[resource] for resource in RESOURCES},
        people={label.partition(":")[2]: name for label, name in names.items()},
        periods=PERIODS,
    )


PAGES: Final = (audit_log,)


def _entry(made: Mapping[str, Any], names: Mapping[str, str]) -> Entry:
    label = "host:" if made["actor_type"] == "system" else f"{made['actor_type']}:{made['actor_id']}"
    return Entry(made, who(label, names), list(details_of(made, names)))


def details_of(made: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What an entry tells, in an order that does not change: whom or what it is about, what changed, and the rest."""
    if made["resource_type"] == "member":
        yield "who", who(f"user:{made['resource_id']}", names)
    for name, change in (made["changes"] or {}).items():
        yield name, f"{_said(change['before'])} → {_said(change['after'])}"
    for name, value in (made["metadata"] or {}).items():
        yield name, names.get(f"user:{value}") or _said(value)


def _said(value: Any) -> str:
    if value is None or value == [] or value == "":
        return "nothing"
    if isinstance(value, list):
        return ", ".join(_said(one) for one in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
