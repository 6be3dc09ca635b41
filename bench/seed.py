"""What is stored before anything is measured."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg

from bench.options import Sizes
from bench.statements import queries
from tawny.access import Actor, create_key, create_project, create_team

STORED_TYPES = ("export", "import", "report", "sync")
"""No worker of the benchmark has these, so the stored runs stay what they are."""

_PROJECTS = 16
_OTHER_TEAMS = 4
_SAMPLE = 2_000
_PAGES = 20


@dataclass(frozen=True, slots=True)
class Seeded:
    """A team with most of the stored runs, and what to ask for."""

    team_id: UUID
    project_ids: list[UUID]
    key: str = field(repr=False)
    run_ids: list[UUID]
    cursors: list[str]
    """Of pages behind three quarters of all stored runs."""


async def seed(conn: asyncpg.Connection, sizes: Sizes) -> Seeded:
    """Store runs of several teams, projects, types and outcomes, and leave the tables as after a quiet time."""
    team_id, key = await _team(conn, "Bench")
    project_ids = await _projects(conn, team_id, _PROJECTS)
    others = [(await _team(conn, f"Other {n}"))[0] for n in range(_OTHER_TEAMS)]
    theirs = [(other, p) for other in others for p in await _projects(conn, other, _PROJECTS // _OTHER_TEAMS)]
    places = [(team_id, p) for p in project_ids] + theirs
    await queries.store_runs(
        conn,
        rows=sizes.rows,
        team_ids=[team for team, _ in places],
        project_ids=[project for _, project in places],
        job_types=list(STORED_TYPES),
    )
    await queries.store_events(conn)
    await queries.settle(conn)
    with suppress(asyncpg.InsufficientPrivilegeError):
        await queries.checkpoint(conn)
    run_ids = [row["id"] for row in await queries.some_runs(conn, team_id=team_id, runs=_SAMPLE)]
    cursors = [row["cursor"] for row in await queries.cursors(conn, team_id=team_id, depth=sizes.depth, pages=_PAGES)]
    return Seeded(team_id, project_ids, key, run_ids, cursors)


async def _team(conn: asyncpg.Connection, name: str) -> tuple[UUID, str]:
    team = await create_team(conn, Actor.host(), name=name, owner_email="owner@example.com")
    _, key = await create_key(conn, Actor.host(), team.team_id, name="bench", permissions=["jobs:read", "jobs:write"])
    return team.team_id, key


async def _projects(conn: asyncpg.Connection, team_id: UUID, count: int) -> list[UUID]:
    made = [await create_project(conn, Actor.host(), team_id, name=f"P{n}", slug=f"p{n}") for n in range(count)]
    return [project.id for project in made]
