"""Delete for good what was deleted softly a week ago."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any, Final
from uuid import UUID

import asyncpg
import structlog

from tawny.builtin.batches import LINES, ROWS, delete_all
from tawny.builtin.statements import queries
from tawny.jobs import Job, Options, Run, define

log = structlog.get_logger()

CLEAN_UP: Final = "tawny.clean_up"
DAYS: Final = 7
"""How long a project, an integration or a schedule is kept once it was deleted."""

_PROJECTS: Final = 100
_RETRIES: Final = 10


def clean_up_job() -> Job:
    """The job type that deletes for good what was deleted softly."""

    async def clean_up(run: Run) -> dict[str, Any]:
        """Delete projects, integrations and schedules for good that were deleted a week ago."""
        gone: Counter[str] = Counter()
        gone["ticks"] += await delete_all(run, partial(queries.delete_ticks_of_deleted, days=DAYS, at_most=ROWS))
        gone["schedules"] += await delete_all(run, partial(queries.delete_deleted_schedules, days=DAYS, at_most=ROWS))
        gone["integrations"] += await delete_all(run, partial(queries.delete_deleted_integrations, days=DAYS, at_most=ROWS))
        gone += await _projects(run)
        return {name: gone[name] for name in ("projects", "runs", "integrations", "schedules", "ticks", "subscribers")}

    label = "Clean-up of what was deleted"
    return define(clean_up, Options(name=CLEAN_UP, label=label, scope="system", cron="0 3 * * *", retries=_RETRIES, builtin=True))


async def _projects(run: Run) -> Counter[str]:
    gone: Counter[str] = Counter()
    last, more = UUID(int=0), True
    while more and not run.cancelled:
        async with run.transaction() as tx:
            found = await queries.deleted_projects(tx.connection, days=DAYS, after=last, at_most=_PROJECTS)
        more = len(found) == _PROJECTS
        for project in found:
            last = project["id"]
            gone += await _project(run, project["team_id"], last)
    return gone


async def _project(run: Run, team_id: UUID, project_id: UUID) -> Counter[str]:
    """Its runs and subscribers in batches, then the project, unless something still belongs to it: that waits."""
    batch = partial(queries.delete_runs_of_project, team_id=team_id, project_id=project_id, at_most=ROWS, lines_at_most=LINES)
    deleted = await delete_all(run, batch)
    subscribers = partial(queries.delete_subscribers_of_project, team_id=team_id, project_id=project_id, at_most=ROWS)
    gone = await delete_all(run, subscribers, deleted)
    try:
        async with run.transaction() as tx:
            done = await queries.delete_project(tx.connection, team_id=team_id, project_id=project_id)
    except asyncpg.ForeignKeyViolationError as error:
        log.warning("something still belongs to a deleted project", project_id=str(project_id), table=error.table_name)
        done = None
    return Counter(runs=deleted, subscribers=gone, projects=int(done is not None))
