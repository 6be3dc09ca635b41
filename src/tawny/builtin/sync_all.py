"""Once a day, sync every project that is connected to RevenueCat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import asyncpg
import structlog

from tawny import runs
from tawny.errors import RequestError
from tawny.integrations.providers import REVENUECAT
from tawny.integrations.revenuecat import SYNC
from tawny.integrations.store import connected_projects
from tawny.jobs import Job, Options, Run, define
from tawny.runs import NEW_RUN

log = structlog.get_logger()

SYNC_ALL: Final = "tawny.revenuecat_sync_all"

_PROJECTS: Final = 100
_NAMED: Final = 100
_RETRIES: Final = 10
_BEFORE_ALL: Final = UUID(int=0)


def sync_all_job(jobs: Mapping[str, Job], *, notify: bool) -> Job:
    """The job type that triggers a sync for each project that is connected."""

    async def revenuecat_sync_all(run: Run) -> dict[str, Any]:
        """Trigger a sync of every project that is connected to RevenueCat; each is a run of its own, with an end of its own."""
        done: dict[str, Any] = run.checkpointed or {
            "after": str(_BEFORE_ALL),
            "projects_processed": 0,
            "triggered": 0,
            "already_active": 0,
            "projects_errored": [],
        }
        while not run.cancelled and (found := await _next(run, UUID(done["after"]))):
            for project_id, team_id in found:
                done = await _trigger(run, done, team_id, project_id)
                run.progress(done["projects_processed"])
        return {name: value for name, value in done.items() if name != "after"}

    async def _trigger(run: Run, done: dict[str, Any], team_id: UUID, project_id: UUID) -> dict[str, Any]:
        after = done | {"after": str(project_id), "projects_processed": done["projects_processed"] + 1}
        try:
            async with run.transaction() as tx:
                fate = await runs.trigger_within(tx.connection, jobs[SYNC], by=job, team_id=team_id, project_id=project_id)
                after |= {fate: done[fate] + 1} if fate in done else {}
                after |= {"triggered": done["triggered"] + 1} if fate == "made" else {}
                tx.checkpoint(after)
                if notify and fate == "made":
                    await runs.wake(tx.connection, {NEW_RUN})
        except (RequestError, asyncpg.PostgresError) as error:
            log.warning("a sync could not be triggered", project_id=str(project_id), error=type(error).__name__)
            errored = [*done["projects_errored"], str(project_id)][:_NAMED]
            return after | {"projects_errored": errored}
        return after

    options = Options(
        name=SYNC_ALL, label="RevenueCat sync of all", scope="system", cron="0 3 * * *", retries=_RETRIES, builtin=True
    )
    job = define(revenuecat_sync_all, options)
    return job


async def _next(run: Run, after: UUID) -> list[tuple[UUID, UUID]]:
    async with run.transaction() as tx:
        return await connected_projects(tx.connection, REVENUECAT, after=after, at_most=_PROJECTS)
