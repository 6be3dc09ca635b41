"""A schedule as a form: what to start, when by whose clock, and with which params."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID
from zoneinfo import available_timezones

from tawny import runs, schedules
from tawny.access import WRITE_SCHEDULES
from tawny.api.uuids import parse_uuid
from tawny.dashboard.fields import PREFIX, REST, fields_of, rest_of, takes_more, typed
from tawny.dashboard.page import page
from tawny.dashboard.projects import project_of
from tawny.dashboard.reply import Reply
from tawny.dashboard.runs import projects_of
from tawny.dashboard.schedules import ONE, PATH, found, row_of, without_project
from tawny.dashboard.visit import Visit
from tawny.errors import InvalidRequest, RequestError
from tawny.jobs import Job

CATCH_UPS: Final = {
    "last": "Start one run for the latest of them",
    "all": "Start a run for each, one after the other",
    "none": "Leave them out",
}
"""What becomes of due times that passed while nothing ran."""


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the form."""

    job: Job
    project_id: UUID | None
    when: Mapping[str, Any]
    """Expression, time zone and catch-up, by the names of the verbs' arguments."""
    params: Mapping[str, Any]


@page("GET", f"{PATH}/new", needs=WRITE_SCHEDULES)
async def new_schedule(visit: Visit) -> Reply:
    """The job types, or the form for a schedule of the one that is named."""
    if "job_type" not in visit.query:
        jobs = [job for job in visit.state.jobs.values() if job.scope == "project"]
        return visit.show("choose_schedule.html", jobs=jobs)
    job = runs.choose_job(visit.state.jobs, visit.query["job_type"])
    when = {"cron": "0 2 * * *", "timezone": "UTC", "catch_up": "last"}
    return await _form(visit, Typed(job, parse_uuid(visit.query.get("project_id", "")), when, {}))


@page("POST", PATH, needs=WRITE_SCHEDULES)
async def make_schedule(visit: Visit) -> Reply:
    """Make a schedule and go to it; or show the form again, and why there is none."""
    job = runs.choose_job(visit.state.jobs, visit.form.text("job_type"))
    given = _typed(visit, job, parse_uuid(visit.form.text("project_id")))
    if given.project_id is None:
        return await _form(visit, given, InvalidRequest("Choose a project.", code="project_required", field="project_id"))
    project = await project_of(visit, given.project_id)
    try:
        async with visit.state.pool.transaction() as conn:
            made = await schedules.create_schedule(
                conn, visit.actor, visit.state.jobs, project.id, job_type=job.name, params=given.params, **given.when
            )
    except InvalidRequest as error:
        return await _form(visit, given, error)
    return visit.go(visit.path(row_of(made, project).path))


@page("GET", f"{ONE}/edit", needs=WRITE_SCHEDULES)
async def edit_schedule(visit: Visit) -> Reply:
    """The form of a schedule as it is."""
    project, schedule, _ = await found(visit)
    job = runs.choose_job(visit.state.jobs, schedule.job_type)
    when = {"cron": schedule.cron, "timezone": schedule.timezone, "catch_up": schedule.catch_up}
    given = Typed(job, project.id, when, without_project(schedule.params))
    return await _form(visit, given, edits=row_of(schedule, project).path)


@page("POST", f"{ONE}/edit", needs=WRITE_SCHEDULES)
async def change_schedule(visit: Visit) -> Reply:
    """Keep what was typed, and of secrets that were left empty what they were."""
    project, schedule, _ = await found(visit)
    job, path = runs.choose_job(visit.state.jobs, schedule.job_type), row_of(schedule, project).path
    given = _typed(visit, job, project.id)
    params = {**_secrets(job, schedule.params), **given.params}
    try:
        async with visit.state.pool.transaction() as conn:
            await schedules.update_schedule(
                conn, visit.actor, visit.state.jobs, project.id, schedule.id, params=params, **given.when
            )
    except InvalidRequest as error:
        return await _form(visit, given, error, edits=path)
    return visit.go(visit.path(path))


PAGES: Final = (new_schedule, make_schedule, edit_schedule, change_schedule)


def _typed(visit: Visit, job: Job, project_id: UUID | None) -> Typed:
    form = visit.form
    when = {name: form.text(name) for name in ("cron", "timezone", "catch_up")}
    return Typed(job, project_id, when, typed(job, form.with_prefix(PREFIX), form.raw(REST) or ""))


def _secrets(job: Job, params: Mapping[str, Any]) -> dict[str, Any]:
    """What a form never shows, and so sends empty."""
    return {field.name: params[field.name] for field in fields_of(job, {}) if field.kind == "secret" and field.name in params}


async def _form(visit: Visit, given: Typed, error: RequestError | None = None, *, edits: str | None = None) -> Reply:
    async with visit.state.pool.acquire() as conn:
        projects = await projects_of(conn, visit)
    details = error.details if error else {}
    wrong: Mapping[str, str] = details.get("params", {})
    about = details.get("field")
    return visit.show(
        "schedule_form.html",
        status=error.status if error else 200,
        job=given.job,
        projects=projects,
        project_id=str(given.project_id or ""),
        when=given.when,
        zones=sorted(available_timezones()),
        catch_ups=CATCH_UPS,
        fields=fields_of(given.job, given.params),
        prefix=PREFIX,
        rest=rest_of(given.job, given.params) if takes_more(given.job) else None,
        wrong=wrong,
        wrong_field=about if about in ("cron", "timezone", "project_id") else None,
        error=error.message if error else None,
        edits=edits,
    )
