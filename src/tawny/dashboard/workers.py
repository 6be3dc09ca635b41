"""Who executes a team's runs, and what is in their hands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tawny import history
from tawny.access import LIST_RUNS
from tawny.api.workers import types_of_teams
from tawny.dashboard.page import TEAM, page
from tawny.dashboard.reply import Reply
from tawny.dashboard.runs import project_name, projects_of
from tawny.dashboard.visit import Visit
from tawny.history import InHands, Worker

MARKS: Final = {
    "alive": ("completed", "Alive"),
    "draining": ("released", "Draining"),
    "silent": ("retrying", "Silent"),
    "lost": ("lost", "Lost"),
}
"""The mark of each state, and its word."""


@dataclass(frozen=True, slots=True)
class Row:
    """A worker, and its runs of this team, each with the name of its project."""

    worker: Worker
    runs: Sequence[tuple[InHands, str]]

    @property
    def not_shown(self) -> int:
        return self.worker.yours - len(self.runs)

    @property
    def of_others(self) -> int:
        return self.worker.running - self.worker.yours


@page("GET", f"{TEAM}/workers", needs=LIST_RUNS)
async def list_workers(visit: Visit) -> Reply:
    """Every worker there is; for htmx only what changes."""
    async with visit.state.pool.acquire() as conn:
        found = await history.workers(conn, visit.actor, visit.team.id, job_types=types_of_teams(visit.state))
        projects = await projects_of(conn, visit)
    return visit.show(
        "_workers.html" if visit.is_fragment else "workers.html",
        rows=[
            Row(worker, [(run, project_name(str(run.project_id) if run.project_id else None, projects)) for run in worker.runs])
            for worker in found
        ],
        marks=MARKS,
    )


PAGES: Final = (list_workers,)
