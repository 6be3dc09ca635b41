"""Run a job: its params as a form, looked at before anything is sent."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from tawny import runs
from tawny.access import TRIGGER_RUN
from tawny.api.uuids import parse_uuid
from tawny.dashboard.fields import PREFIX, REST, fields_of, rest_of, takes_more, typed
from tawny.dashboard.page import TEAM, page
from tawny.dashboard.reply import Reply
from tawny.dashboard.run import find_in_team
from tawny.dashboard.runs import projects_of
from tawny.dashboard.visit import Visit
from tawny.errors import Conflict, InvalidRequest, NotFound, RequestError
from tawny.jobs import Job

PATH: Final = f"{TEAM}/run-a-job"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a form asks for."""

    job: Job
    project_id: UUID | None
    params: Mapping[str, Any]
    notify: bool


@page("GET", PATH, needs=TRIGGER_RUN)
async def choose(visit: Visit) -> Reply:
    """The job types, or the form of the one that is named; with `from`, filled as an earlier run was."""
    again = parse_uuid(visit.query.get("from", ""))
    if again is not None:
        async with visit.state.pool.acquire() as conn:
            run = await find_in_team(conn, visit, again)
        job = runs.choose_job(visit.state.jobs, run["job_type"])
        project = parse_uuid(run["project_id"] or "")
        return await _form(visit, Asked(job, project, run["params"] or {}, run["notify"]), source=run["id"])
    if "job_type" in visit.query:
        job = runs.choose_job(visit.state.jobs, visit.query["job_type"])
        return await _form(visit, Asked(job, parse_uuid(visit.query.get("project_id", "")), {}, notify=False))
    jobs = [job for job in visit.state.jobs.values() if job.scope == "project"]
    return visit.show("choose_job.html", jobs=jobs)


@page("POST", f"{PATH}/check", needs=TRIGGER_RUN)
async def check(visit: Visit) -> Reply:
    """Say whether what the form asks for would be granted now. No run is made."""
    asked = _asked(visit)
    error: RequestError | None = None
    try:
        async with visit.state.pool.acquire() as conn:
            await runs.check_trigger(
                conn, visit.actor, asked.job, team_id=visit.team.id, project_id=asked.project_id, params=asked.params
            )
    except (InvalidRequest, Conflict, NotFound) as refused:
        error = refused
    return visit.show("_check.html", error=error, wrong=_wrong(error), fields=fields_of(asked.job, {}), checked=True)


@page("POST", PATH, needs=TRIGGER_RUN)
async def run_job(visit: Visit) -> Reply:
    """Make the run and go to it; or show the form again, and why there is none."""
    visit.state.pace.spend(visit.actor)
    asked = _asked(visit)
    try:
        async with visit.state.pool.acquire() as conn:
            made = await runs.trigger(
                conn,
                visit.actor,
                asked.job,
                team_id=visit.team.id,
                project_id=asked.project_id,
                params=asked.params,
                notify=asked.notify,
                idempotency_key=visit.form.text("once") or None,
            )
    except (InvalidRequest, Conflict, NotFound) as error:
        return await _form(visit, asked, error=error)
    visit.state.waker.wake()
    return visit.go(visit.path(f"runs/{made.id}"))


PAGES: Final = (choose, check, run_job)


def _asked(visit: Visit) -> Asked:
    form = visit.form
    job = runs.choose_job(visit.state.jobs, form.text("job_type"))
    params = typed(job, form.with_prefix(PREFIX), form.raw(REST) or "")
    return Asked(job, parse_uuid(form.text("project_id")), params, form.text("notify") == "yes")


def _wrong(error: RequestError | None) -> Mapping[str, str]:
    """What does not fit, by the name of the param."""
    found: Mapping[str, str] = error.details.get("params", {}) if error else {}
    return found


async def _form(visit: Visit, asked: Asked, *, error: RequestError | None = None, source: str | None = None) -> Reply:
    async with visit.state.pool.acquire() as conn:
        projects = await projects_of(conn, visit)
    return visit.show(
        "run_a_job.html",
        status=error.status if error else 200,
        job=asked.job,
        fields=fields_of(asked.job, asked.params),
        prefix=PREFIX,
        rest=rest_of(asked.job, asked.params) if takes_more(asked.job) else None,
        projects=projects,
        project_id=str(asked.project_id) if asked.project_id else None,
        notify=asked.notify,
        source=source,
        once=f"form:{secrets.token_urlsafe(12)}",
        error=error,
        wrong=_wrong(error),
        checked=False,
    )
