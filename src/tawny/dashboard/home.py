"""The front door: to the visitor's first team."""

from __future__ import annotations

from typing import Final

from tawny.dashboard.nav import first_place
from tawny.dashboard.page import TEAM, page
from tawny.dashboard.reply import Reply
from tawny.dashboard.visit import Visit


@page("GET", "/")
async def home(visit: Visit) -> Reply:
    """Where somebody who is signed in begins."""
    if not visit.teams:
        return visit.show("no_team.html")
    return visit.go(visit.path(f"/teams/{visit.teams[0].slug}"))


@page("GET", TEAM)
async def team(visit: Visit) -> Reply:
    """The first place of the team that the visitor may see."""
    place = first_place(visit)
    return visit.show("find_run.html") if place is None else visit.go(visit.path(place))


PAGES: Final = (home, team)
