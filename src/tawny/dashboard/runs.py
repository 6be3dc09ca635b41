"""A team's runs: filtered, page by page, and live."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from tawny import access, runs
from tawny.access import CANCEL_RUN, LIST_RUNS, TRIGGER_RUN, VIEW_RUN, Project
from tawny.api.jobs import listed
from tawny.api.query import KNOWN, Asked, parse_query
from tawny.api.uuids import parse_uuid
from tawny.dashboard.page import TEAM, page
from tawny.dashboard.people import names_of, who
from tawny.dashboard.reply import Reply
from tawny.dashboard.visit import Visit
from tawny.db.pool import Connection
from tawny.errors import NotFound
from tawny.runs import Count, Status

FILTERS: Final = ("status", "job_type", "project_id", "since", "until", "fingerprint", "search")
"""What a list can be narrowed by, as the API names it."""

PERIODS: Final = {"1h": "The last hour", "24h": "The last 24 hours", "7d": "The last 7 days", "30d": "The last 30 days"}


_WORDS: Final = {
    "job_type": "type",
    "project_id": "project",
    "since": "time",
    "until": "time",
    "fingerprint": "error",
    "search": "params contain",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A run as a list shows it."""

    run: Mapping[str, Any]
    who: str
    project: str


@dataclass(frozen=True, slots=True)
class Token:
    """A filter that is on, and the address without it."""

    name: str
    value: str
    without: str


@page("GET", f"{TEAM}/runs", needs=LIST_RUNS)
async def list_runs(visit: Visit) -> Reply:
    """The runs that the address asks for; for htmx only what changes."""
    given = given_filters(visit)
    asked = asked_for(visit.query)
    async with visit.state.pool.acquire() as conn:
        found = await listed(conn, visit.actor, visit.team.id, asked)
        counts = await _counts(conn, visit)
        projects = await projects_of(conn, visit)
        names = await names_of(conn, visit)
    return visit.show(
        "_runs.html" if visit.is_fragment else "runs.html",
        rows=[row_of(text, names, projects) for text in found.runs],
        older=visit.path("runs", **given, cursor=found.cursor) if found.cursor else None,
        newest=visit.path("runs", **given) if "cursor" in visit.query else None,
        stopped=found.stopped,
        counts=counts,
        matching=_matching(counts, given),
        given=given,
        tokens=_tokens(visit, given, projects),
        by_status={status: visit.path("runs", **given | {"status": status}) for status in (None, *runs.STATUSES)},
        projects=projects,
        job_types=team_job_types(visit),
        periods=PERIODS,
        may_cancel=visit.may(CANCEL_RUN),
        may_retry=visit.may(TRIGGER_RUN),
    )


@page("GET", f"{TEAM}/runs/open", needs=VIEW_RUN)
async def open_run(visit: Visit) -> Reply:
    """To the run whose id somebody has pasted."""
    run_id = parse_uuid(visit.query.get("run_id", "").strip())
    if run_id is None:
        raise NotFound("That is not the id of a run.")
    return visit.go(visit.path(f"runs/{run_id}"))


async def _counts(conn: Connection, visit: Visit) -> Mapping[Status, Count]:
    """How many runs there are in each status with the other filters; none while params are searched, which no index can count."""
    if "search" in visit.query:
        return {}
    where = asked_for({name: text for name, text in visit.query.items() if name not in ("status", "cursor")}).where
    return await runs.count_by_status(conn, visit.actor, visit.team.id, where=where)


def _matching(counts: Mapping[Status, Count], given: Mapping[str, str]) -> Count | None:
    """How many runs match all filters; None where nobody has counted."""
    wanted = [count for status, count in counts.items() if given.get("status", status) == status]
    return Count(sum(one.count for one in wanted), any(one.capped for one in wanted)) if wanted else None


def given_filters(visit: Visit) -> dict[str, str]:
    """The filters in the address."""
    return {name: visit.query[name] for name in FILTERS if name in visit.query}


def asked_for(query: Mapping[str, str]) -> Asked:
    """What the API would read from these parameters; a form also sends those that are empty."""
    return parse_query(urlencode({name: value for name, value in query.items() if name in KNOWN and value}).encode())


async def projects_of(conn: Any, visit: Visit) -> Mapping[str, Project]:
    """The team's projects by the text of their id."""
    return {str(project.id): project for project in await access.list_projects(conn, visit.actor, visit.team.id)}


def row_of(text: str, names: Mapping[str, str], projects: Mapping[str, Project]) -> Row:
    """A row made of a run's public JSON."""
    run = json.loads(text)
    return Row(run, who(run["triggered_by"], names), project_name(run["project_id"], projects))


def project_name(project_id: str | None, projects: Mapping[str, Project]) -> str:
    """What people call a project."""
    project = projects.get(project_id or "")
    return project.name if project else "A deleted project" if project_id else "—"


def team_job_types(visit: Visit) -> list[str]:
    """The job types that a team can have runs of."""
    return [job.name for job in visit.state.jobs.values() if job.scope == "project"]


def _tokens(visit: Visit, given: Mapping[str, str], projects: Mapping[str, Project]) -> list[Token]:
    return [
        Token(_WORDS.get(name, name), _in_words(name, text, projects), visit.path("runs", **_without(given, name)))
        for name, text in given.items()
    ]


def _in_words(name: str, text: str, projects: Mapping[str, Project]) -> str:
    match name:
        case "project_id":
            return project_name(text, projects)
        case "since":
            return PERIODS.get(text, f"since {text}")
        case "until":
            return f"until {text}"
        case "fingerprint":
            return f"of one kind ({text[-6:]})"
        case _:
            return text


def _without(given: Mapping[str, str], name: str) -> dict[str, str]:
    return {other: text for other, text in given.items() if other != name}


PAGES: Final = (list_runs, open_run)
