"""What the visitor is mailed about in this team."""

from __future__ import annotations

from typing import Final

from tawny import notifications
from tawny.access import WRITE_OWN_PREFERENCES
from tawny.dashboard.page import page
from tawny.dashboard.reply import Reply
from tawny.dashboard.settings import SETTINGS, show_tab
from tawny.dashboard.visit import Visit
from tawny.notifications import RUN_EVENTS


@page("GET", f"{SETTINGS}/mails", needs=WRITE_OWN_PREFERENCES)
async def mails(visit: Visit) -> Reply:
    """Which ends of runs a mail is sent about."""
    async with visit.state.pool.acquire() as conn:
        chosen = await notifications.find_preferences(conn, visit.actor, visit.team.id)
    return show_tab(visit, "mails.html", "settings/mails", events=RUN_EVENTS, chosen=chosen, saved="saved" in visit.query)


@page("POST", f"{SETTINGS}/mails", needs=WRITE_OWN_PREFERENCES)
async def choose_mails(visit: Visit) -> Reply:
    """Keep what was ticked; nothing at all means no mails."""
    async with visit.state.pool.transaction() as conn:
        await notifications.set_preferences(conn, visit.actor, visit.team.id, visit.form.all("mail_events"))
    return visit.go(visit.path("settings/mails", saved="yes"))


PAGES: Final = (mails, choose_mails)
