"""Projects."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import Field

from tawny import access, runs
from tawny.access import WRITE_PROJECTS
from tawny.api import parameters
from tawny.api.answers import Answer, answered
from tawny.api.call import Call
from tawny.api.envelope import Answered, Id, Query, Strict, checked
from tawny.api.operation import operation
from tawny.errors import InvalidRequest

TAG: Final = "Projects"


class NewProjectBody(Strict):
    """A project to be made."""

    team_id: Id
    name: str
    slug: str = Field(description="1 to 64 of a-z, 0-9 and -; one project of the team has it.")


class ProjectBody(Strict):
    """What to change. What is left out stays as it is."""

    name: str | None = None
    slug: str | None = None


class OfTeam(Query):
    """Which projects."""

    team_id: UUID | None = Field(None, description="Only those of this team.")


class Project(Answered):
    """A project of a team."""

    id: UUID
    team_id: UUID
    name: str
    slug: str
    color: str = Field(description="`#rrggbb`.")
    created_at: datetime


class ProjectWithApps(Project):
    """A project."""

    apps: list[Any] = Field(description="Always empty; clients of the OwlMetry API read it.")


class Projects(Answered):
    """Oldest first."""

    projects: list[Project]


class Deleted(Answered):
    """It is gone."""

    deleted: bool


@operation("GET", "/v1/projects", tag=TAG, answer=Projects, query=OfTeam, refuses=(400, 403))
async def list_projects(call: Call) -> Answer:
    """List projects of one team, or of all that the caller is in. Needs a key with `projects:read`, or a member."""
    actor = await call.actor()
    actor.teams_for(access.VIEW_PROJECTS)
    team_id = parameters.uuid(parameters.read(call.query, {"team_id"}), "team_id", "a team")
    async with call.state.pool.acquire() as conn:
        found = await access.list_projects(conn, actor, team_id)
    return answered({"projects": [shown(project) for project in found]})


@operation("POST", "/v1/projects", tag=TAG, answer=Project, status=201, body=NewProjectBody, refuses=(403, 409))
async def create_project(call: Call) -> Answer:
    """Make a project. Needs a key with `projects:write`, or the role admin or owner in the team."""
    actor = await call.actor()
    actor.teams_for(WRITE_PROJECTS)
    body = checked(NewProjectBody, await call.body())
    async with call.state.pool.transaction() as conn:
        made = await access.create_project(conn, actor, body.team_id, name=body.name, slug=body.slug)
    return answered(shown(made), 201)


@operation("GET", "/v1/projects/{project_id}", tag=TAG, answer=ProjectWithApps, refuses=(403, 404))
async def view_project(call: Call) -> Answer:
    """View a project. Needs a key with `projects:read`, or a member of its team."""
    actor = await call.actor()
    async with call.state.pool.acquire() as conn:
        found = await access.find_project(conn, actor, call.id("project_id"))
    return answered(shown(found) | {"apps": []})


@operation("PATCH", "/v1/projects/{project_id}", tag=TAG, answer=Project, body=ProjectBody, refuses=(403, 404, 409))
async def update_project(call: Call) -> Answer:
    """Rename a project, or give it another slug. Needs a key with `projects:write`, or the role admin or owner."""
    actor = await actor_in_project(call, WRITE_PROJECTS)
    body = checked(ProjectBody, await call.body())
    if body.name is None and body.slug is None:
        raise InvalidRequest("Nothing to change: send a name, a slug or both.", code="nothing_to_change")
    async with call.state.pool.transaction() as conn:
        changed = await access.update_project(conn, actor, call.id("project_id"), name=body.name, slug=body.slug)
    return answered(shown(changed))


@operation("DELETE", "/v1/projects/{project_id}", tag=TAG, answer=Deleted, refuses=(403, 404))
async def delete_project(call: Call) -> Answer:
    """Delete a project and cancel its active runs. Needs a key with `projects:write`, or the role admin or owner."""
    actor = await call.actor()
    async with call.state.pool.transaction() as conn:
        workers = await runs.delete_project(conn, actor, call.id("project_id"))
    for worker_id in workers:
        call.state.waker.wake(str(worker_id))
    return answered({"deleted": True})


OPERATIONS: Final = (list_projects, create_project, view_project, update_project, delete_project)


async def actor_in_project(call: Call, operation: access.Operation) -> access.Actor:
    """Who sends this; Forbidden when they may not do this in the project of the path, which comes before what is in the body."""
    actor = await call.actor()
    async with call.state.pool.acquire() as conn:
        await access.require_role_in_project(conn, actor, call.id("project_id"), operation)
    return actor


def shown(project: access.Project) -> dict[str, Any]:
    """A project as clients see it."""
    return {
        "id": project.id,
        "team_id": project.team_id,
        "name": project.name,
        "slug": project.slug,
        "color": project.color,
        "created_at": project.created_at,
    }
