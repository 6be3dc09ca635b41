"""Projects of a team."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from tawny.access.actor import Actor
from tawny.access.audit import differences, leave
from tawny.access.names import check_slug, clean_name
from tawny.access.operations import VIEW_PROJECTS, WRITE_PROJECTS, Operation
from tawny.access.statements import queries
from tawny.access.teams import team_must_exist
from tawny.db.ids import uuid7
from tawny.db.pool import Connection
from tawny.errors import Conflict, NotFound

# Each is readable as white text's background and as a line on white.
PALETTE: Final = ("#b45309", "#15803d", "#0e7490", "#1d4ed8", "#6d28d9", "#be185d", "#b91c1c", "#4d7c0f")


@dataclass(frozen=True, slots=True)
class Project:
    """A project. `color` is `#rrggbb` and never changes."""

    id: UUID
    team_id: UUID
    name: str
    slug: str
    color: str
    created_at: datetime


async def create_project(conn: Connection, actor: Actor, team_id: UUID, *, name: str, slug: str) -> Project:
    """Make a project.

    InvalidRequest for a bad name or slug, Conflict with code `slug_taken` when a project of this team has the slug (a deleted
    project gives it back), NotFound for a team that does not exist.
    """
    actor.require(team_id, WRITE_PROJECTS)
    name, slug, project_id = clean_name(name), check_slug(slug), uuid7()
    with team_must_exist():
        row = await queries.insert_project(conn, id=project_id, team_id=team_id, name=name, slug=slug, color=color_of(project_id))
    if row is None:
        raise _slug_taken()
    await leave(conn, actor, "create", "project", project_id, team_id=team_id, name=name, slug=slug)
    return Project(**row)


async def update_project(
    conn: Connection, actor: Actor, project_id: UUID, *, name: str | None = None, slug: str | None = None
) -> Project:
    """Rename a project, or give it another slug; None leaves either as it is.

    InvalidRequest for a bad name or slug, Conflict with code `slug_taken`, and the same NotFound when there is no such project
    and when it is not for this actor.
    """
    actor.teams_for(WRITE_PROJECTS)
    name = None if name is None else clean_name(name)
    slug = None if slug is None else check_slug(slug)
    project = await _locked(conn, actor, project_id)
    before = {"name": project.name, "slug": project.slug}
    after = {"name": name or project.name, "slug": slug or project.slug}
    try:
        await queries.update_project(conn, project_id=project_id, team_id=project.team_id, **after)
    except asyncpg.UniqueViolationError:
        raise _slug_taken() from None
    await leave(conn, actor, "update", "project", project_id, team_id=project.team_id, changes=differences(before, after))
    return replace(project, name=after["name"], slug=after["slug"])


async def delete_project(conn: Connection, actor: Actor, project_id: UUID) -> Project:
    """Delete a project softly with what it is connected to, and return what it was.

    Its runs are `runs.delete_project`'s, which calls this. Whoever triggers a run for it or connects it at this moment is waited
    for, or finds it gone: a run is made in a living project or not at all.
    """
    project = await _locked(conn, actor, project_id)
    await queries.delete_project(conn, project_id=project_id, team_id=project.team_id)
    await leave(conn, actor, "delete", "project", project_id, team_id=project.team_id, name=project.name, slug=project.slug)
    return project


async def _locked(conn: Connection, actor: Actor, project_id: UUID) -> Project:
    """The living project, locked. Who may look at it but not change it is told so."""
    actor.teams_for(WRITE_PROJECTS)
    row = await queries.lock_project(conn, project_id=project_id, team_ids=list(actor.roles))
    if row is None:
        raise NotFound("Project not found.")
    actor.require(row["team_id"], WRITE_PROJECTS)
    return Project(**row)


def _slug_taken() -> Conflict:
    return Conflict("A project with this slug already exists in your team; choose another.", code="slug_taken")


def color_of(project_id: UUID) -> str:
    """The color that a project with this id has."""
    return PALETTE[project_id.int % len(PALETTE)]


async def find_project(conn: Connection, actor: Actor, project_id: UUID) -> Project:
    """Return a living project; the same NotFound when there is none and when it is not for this actor."""
    row = await queries.find_project(conn, project_id=project_id, team_ids=actor.teams_for(VIEW_PROJECTS))
    if row is None:
        raise NotFound("Project not found.")
    return Project(**row)


async def find_project_for(conn: Connection, actor: Actor, project_id: UUID, operation: Operation) -> Project:
    """Return a living project in which this actor may do this.

    Forbidden when the key lacks the permission, or when they are in its team but their role is too low; the same NotFound when
    there is no such project and when it is of a team that they are not in.
    """
    actor.teams_for(operation)
    row = await queries.find_project(conn, project_id=project_id, team_ids=list(actor.roles))
    if row is None:
        raise NotFound("Project not found.")
    actor.require(row["team_id"], operation)
    return Project(**row)


async def require_role_in_project(conn: Connection, actor: Actor, project_id: UUID, operation: Operation) -> None:
    """Raise Forbidden when this actor is in the project's team, but their role there is too low.

    Of a project that is not for them nothing is said yet: whoever asks is first told what is wrong with the rest of the request.
    """
    if len(actor.teams_for(operation)) == len(actor.roles):
        return
    row = await queries.find_project(conn, project_id=project_id, team_ids=list(actor.roles))
    if row is not None:
        actor.require(row["team_id"], operation)


async def list_projects(conn: Connection, actor: Actor, team_id: UUID | None = None) -> list[Project]:
    """List the living projects of one team, or of all that this actor may look into; oldest first."""
    if team_id is None:
        return _projects(await queries.list_projects(conn, team_ids=actor.teams_for(VIEW_PROJECTS)))
    actor.require(team_id, VIEW_PROJECTS)
    return _projects(await queries.list_projects(conn, team_ids=[team_id]))


def _projects(rows: Iterable[Any]) -> list[Project]:
    return [Project(**row) for row in rows]
