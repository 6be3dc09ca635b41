"""Agent keys of a team: made with a text that is shown once, looked at, and revoked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tawny import access
from tawny.access import PERMISSIONS, WRITE_KEYS, Key, permissions_of
from tawny.dashboard.page import page
from tawny.dashboard.people import names_of, who
from tawny.dashboard.reply import Reply
from tawny.dashboard.settings import SETTINGS, show_tab
from tawny.dashboard.visit import Question, Visit
from tawny.errors import InvalidRequest, NotFound, RequestError

PERIODS: Final = {"1": "1 day", "7": "7 days", "30": "30 days", "90": "90 days", "365": "1 year", "": "No end"}
"""For how many days a key is good."""

WHAT_THEY_MAY: Final = {
    "jobs:read": "See runs, their logs, statistics and schedules",
    "jobs:write": "Start, retry and cancel runs; write schedules",
    "projects:read": "See projects",
    "projects:write": "Make, rename and delete projects",
    "integrations:read": "See integrations and subscribers",
    "integrations:write": "Connect and disconnect integrations",
    "audit_logs:read": "Read the audit log",
}


@page("GET", f"{SETTINGS}/keys", needs=WRITE_KEYS)
async def list_keys(visit: Visit) -> Reply:
    """The keys, those that are good first, and the form for another one."""
    return await _shown(visit)


@page("POST", f"{SETTINGS}/keys", needs=WRITE_KEYS)
async def make_key(visit: Visit) -> Reply:
    """Make a key and show its text, which no later page has."""
    form = visit.form
    name, granted, days = form.text("name"), form.all("permissions"), form.text("days")
    try:
        async with visit.state.pool.transaction() as conn:
            key, text = await access.create_key(
                conn, visit.actor, visit.team.id, name=name, permissions=granted, expires_at=_in_days(days)
            )
    except InvalidRequest as error:
        return await _shown(visit, error, typed={"name": name, "permissions": granted, "days": days})
    return await _shown(visit, made=key, text=text)


@page("GET", f"{SETTINGS}/keys/{{key_id}}/revoke", needs=WRITE_KEYS)
async def ask_to_revoke(visit: Visit) -> Reply:
    """Ask whether a key is to end."""
    async with visit.state.pool.acquire() as conn:
        keys = await access.list_keys(conn, visit.actor, visit.team.id)
    key = next((key for key in keys if key.id == visit.call.id("key_id")), None)
    if key is None:
        raise NotFound("Key not found.")
    return visit.ask(
        Question(
            title=f"Revoke the key “{key.name}”?",
            sentence=f"What uses the key that ends in {key.last4} is refused within half a second. This cannot be taken back.",
            action=visit.path(f"settings/keys/{key.id}/revoke"),
            back=visit.path("settings/keys"),
            button="Revoke the key",
            danger=True,
        )
    )


@page("POST", f"{SETTINGS}/keys/{{key_id}}/revoke", needs=WRITE_KEYS)
async def revoke_key(visit: Visit) -> Reply:
    """End a key."""
    async with visit.state.pool.transaction() as conn:
        await access.revoke_key(conn, visit.actor, visit.team.id, visit.call.id("key_id"))
    return visit.go(visit.path("settings/keys"))


PAGES: Final = (list_keys, make_key, ask_to_revoke, revoke_key)


def state_of_key(key: Key, now: datetime) -> str:
    """Whether it is `good`, `expired` or `revoked`."""
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now else "good"


def _in_days(text: str) -> datetime | None:
    if text not in PERIODS:
        raise InvalidRequest("Choose for how long the key is good.", code="invalid_expires_at")
    return datetime.now(UTC) + timedelta(days=int(text)) if text else None


async def _shown(
    visit: Visit,
    error: RequestError | None = None,
    *,
    typed: dict[str, Any] | None = None,
    made: Key | None = None,
    text: str | None = None,
) -> Reply:
    async with visit.state.pool.acquire() as conn:
        keys = await access.list_keys(conn, visit.actor, visit.team.id)
        names = await names_of(conn, visit)
    now, mine = datetime.now(UTC), permissions_of(visit.team.role)
    rows = [(key, state_of_key(key, now), _maker(key, names)) for key in reversed(keys)]
    return show_tab(
        visit,
        "keys.html",
        "settings/keys",
        error=error,
        good=[row for row in rows if row[1] == "good"],
        ended=[row for row in rows if row[1] != "good"],
        permissions={name: WHAT_THEY_MAY[name] for name in PERMISSIONS if name in mine},
        periods=PERIODS,
        typed=typed or {"name": "", "permissions": ["jobs:read", "jobs:write"], "days": "90"},
        made=made,
        text=text,
    )


def _maker(key: Key, names: Mapping[str, str]) -> str:
    return who(f"user:{key.created_by}" if key.created_by else "host:", names)
