"""Projects of a team: made, renamed and deleted."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from tawny import access, runs
from tawny.access import VIEW_PROJECTS, WRITE_PROJECTS, Project
from tawny.dashboard.page import page
from tawny.dashboard.reply import Reply
from tawny.dashboard.settings import SETTINGS, show_tab
from tawny.dashboard.visit import Question, Visit
from tawny.errors import Conflict, InvalidRequest, NotFound, RequestError

ONE: Final = f"{SETTINGS}/projects/{{project_id}}"


@page("GET", f"{SETTINGS}/projects", needs=VIEW_PROJECTS)
async def list_projects(visit: Visit) -> Reply:
    """The projects, and the form for another one."""
    return await _shown(visit)


@page("POST", f"{SETTINGS}/projects", needs=WRITE_PROJECTS)
async def make_project(visit: Visit) -> Reply:
    """Make a project."""
    typed = {"name": visit.form.text("name"), "slug": visit.form.text("slug")}
    try:
        async with visit.state.pool.transaction() as conn:
            await access.create_project(conn, visit.actor, visit.team.id, **typed)
    except (InvalidRequest, Conflict) as error:
        return await _shown(visit, error, typed)
    return visit.go(visit.path("settings/projects"))


@page("GET", ONE, needs=WRITE_PROJECTS)
async def edit_project(visit: Visit) -> Reply:
    """The form for another name or slug."""
    project = await _project(visit)
    return _form(visit, project, {"name": project.name, "slug": project.slug})


@page("POST", ONE, needs=WRITE_PROJECTS)
async def rename_project(visit: Visit) -> Reply:
    """Give a project another name or slug."""
    project = await _project(visit)
    typed = {"name": visit.form.text("name"), "slug": visit.form.text("slug")}
    try:
        async with visit.state.pool.transaction() as conn:
            await access.update_project(conn, visit.actor, project.id, **typed)
    except (InvalidRequest, Conflict) as error:
        return _form(visit, project, typed, error)
    return visit.go(visit.path("settings/projects"))


@page("GET", f"{ONE}/delete", needs=WRITE_PROJECTS)
async def ask_to_delete_project(visit: Visit) -> Reply:
    """Ask whether a project is to go."""
    project = await _project(visit)
    return visit.ask(
        Question(
            title=f"Delete the project {project.name}?",
            sentence="Its active runs are cancelled, its schedules and integrations end. Runs that have ended stay to be seen.",
            action=visit.path(f"settings/projects/{project.id}/delete"),
            back=visit.path("settings/projects"),
            button="Delete the project",
            danger=True,
        )
    )


@page("POST", f"{ONE}/delete", needs=WRITE_PROJECTS)
async def delete_project(visit: Visit) -> Reply:
    """Delete a project, with everything of it that is active."""
    project = await _project(visit)
    async with visit.state.pool.transaction() as conn:
        workers = await runs.delete_project(conn, visit.actor, project.id)
    for worker_id in workers:
        visit.state.waker.wake(str(worker_id))
    return visit.go(visit.path("settings/projects"))


PAGES: Final = (list_projects, make_project, edit_project, rename_project, ask_to_delete_project, delete_project)


async def project_of(visit: Visit, project_id: UUID) -> Project:
    """A project of this team; NotFound for one of another, also of the visitor's."""
    async with visit.state.pool.acquire() as conn:
        project = await access.find_project(conn, visit.actor, project_id)
    if project.team_id != visit.team.id:
        raise NotFound("Project not found.")
    return project


async def _project(visit: Visit) -> Project:
    return await project_of(visit, visit.call.id("project_id"))


async def _shown(visit: Visit, error: RequestError | None = None, typed: dict[str, Any] | None = None) -> Reply:
    async with visit.state.pool.acquire() as conn:
        projects = await access.list_projects(conn, visit.actor, visit.team.id)
    return show_tab(
        visit,
        "projects.html",
        "settings/projects",
        error=error,
        projects=projects,
        typed=typed or {"name": "", "slug": ""},
        may_write=visit.may(WRITE_PROJECTS),
    )


def _form(visit: Visit, project: Project, typed: dict[str, Any], error: RequestError | None = None) -> Reply:
    return show_tab(visit, "project.html", "settings/projects", error=error, project=project, typed=typed)
