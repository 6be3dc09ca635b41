"""What a team has settled: the tabs of its settings, each of which is a page of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from tawny.access import (
    VIEW_AUDIT_LOG,
    VIEW_MEMBERS,
    VIEW_PROJECTS,
    WRITE_KEYS,
    WRITE_NOTIFICATIONS,
    WRITE_OWN_PREFERENCES,
    Operation,
)
from tawny.dashboard.page import TEAM
from tawny.dashboard.reply import Reply
from tawny.dashboard.visit import Visit
from tawny.errors import RequestError

SETTINGS: Final = f"{TEAM}/settings"
"""Where they begin."""


@dataclass(frozen=True, slots=True)
class Tab:
    """One of them: its words, its path below the team, and what it needs."""

    label: str
    path: str
    needs: Operation


TABS: Final = (
    Tab("Members", "settings", VIEW_MEMBERS),
    Tab("Projects", "settings/projects", VIEW_PROJECTS),
    Tab("Agent keys", "settings/keys", WRITE_KEYS),
    Tab("Webhooks", "settings/webhooks", WRITE_NOTIFICATIONS),
    Tab("Your mails", "settings/mails", WRITE_OWN_PREFERENCES),
    Tab("Audit log", "settings/audit-log", VIEW_AUDIT_LOG),
)


def show_tab(visit: Visit, template: str, here: str, *, error: RequestError | None = None, **values: Any) -> Reply:
    """A page of the settings; with the `error` for which a form is shown again."""
    tabs = [tab for tab in TABS if visit.may(tab.needs)]
    told = error.message if error else None
    return visit.show(template, status=error.status if error else 200, tabs=tabs, here=here, error=told, **values)
