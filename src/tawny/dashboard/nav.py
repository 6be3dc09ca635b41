"""The places of a team, in the order of the menu. Each appears for whoever may see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tawny.access import LIST_RUNS, TRIGGER_RUN, VIEW_INTEGRATIONS, VIEW_MEMBERS, VIEW_SCHEDULES, Operation

if TYPE_CHECKING:
    from tawny.dashboard.visit import Visit


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of the menu: its words, its path below the team, what it needs, and the key behind `g` that goes there.

    `front`: whether somebody who can see it may begin there.
    """

    label: str
    path: str
    needs: Operation
    key: str
    front: bool = True


PLACES: Final = (
    Place("Overview", "overview", LIST_RUNS, "o"),
    Place("Runs", "runs", LIST_RUNS, "r"),
    Place("Errors", "errors", LIST_RUNS, "e"),
    Place("Run a job", "run-a-job", TRIGGER_RUN, "n"),
    Place("Workers", "workers", LIST_RUNS, "w"),
    Place("Schedules", "schedules", VIEW_SCHEDULES, "s"),
    Place("Integrations", "integrations", VIEW_INTEGRATIONS, "i", front=False),
    Place("Settings", "settings", VIEW_MEMBERS, ",", front=False),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A place as it is shown on one page."""

    place: Place
    href: str
    here: bool


def nav_for(visit: Visit) -> list[Entry]:
    """The menu of this page."""
    here = visit.root + visit.scope["path"].removeprefix(visit.root)
    places = [(place, visit.path(place.path)) for place in _open_to(visit)]
    return [Entry(place, href, here == href or here.startswith(f"{href}/")) for place, href in places]


def first_place(visit: Visit) -> str | None:
    """The path of the first entry where one may begin; None for whom there is none."""
    return next((place.path for place in _open_to(visit) if place.front), None)


def _open_to(visit: Visit) -> list[Place]:
    return [place for place in PLACES if visit.may(place.needs)]
