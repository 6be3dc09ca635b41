"""What a team's runs fail of: failed runs that are alike, together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tawny import history
from tawny.access import LIST_RUNS, TRIGGER_RUN
from tawny.dashboard.page import TEAM, page
from tawny.dashboard.reply import Reply
from tawny.dashboard.runs import PERIODS, asked_for, projects_of, team_job_types
from tawny.dashboard.visit import Visit
from tawny.history import ErrorGroup

FILTERS: Final = ("job_type", "project_id", "since")
"""Of which runs the errors are, as the API names it."""


@dataclass(frozen=True, slots=True)
class Row:
    """A group, and where its runs are, are retried, and one of them is."""

    group: ErrorGroup
    runs: str
    retry: str
    newest: str


@page("GET", f"{TEAM}/errors", needs=LIST_RUNS)
async def list_errors(visit: Visit) -> Reply:
    """The groups that the address asks for; for htmx only what changes."""
    given: dict[str, str] = {name: visit.query[name] for name in FILTERS if name in visit.query}
    where = asked_for(given).where
    asked: dict[str, Any] = {"project_id": where.project_id, "job_type": where.job_type, "since": where.since}
    async with visit.state.pool.acquire() as conn:
        found = await history.error_groups(conn, visit.actor, visit.team.id, **asked)
        projects = await projects_of(conn, visit)
    return visit.show(
        "_errors.html" if visit.is_fragment else "errors.html",
        found=found,
        rows=[_row(visit, group, given) for group in found.groups],
        given=given,
        projects=projects,
        job_types=team_job_types(visit),
        periods=PERIODS,
        may_retry=visit.may(TRIGGER_RUN),
    )


def _row(visit: Visit, group: ErrorGroup, given: Mapping[str, str]) -> Row:
    its = {name: text for name, text in given.items() if name != "job_type"} | {"fingerprint": group.fingerprint}
    return Row(
        group,
        runs=visit.path("runs", status="failed", **its),
        retry=visit.path("runs/bulk", action="retry", status="failed", **its),
        newest=visit.path(f"runs/{group.newest_run_id}"),
    )


PAGES: Final = (list_errors,)
