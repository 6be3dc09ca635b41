"""What the first start makes, so that the printed line works at once."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection
from dataclasses import dataclass, field
from uuid import UUID

from tawny.access import PERMISSIONS, Actor, create_key, create_project, create_team, make_link
from tawny.access.operations import HOST_PERMISSIONS
from tawny.cli import database
from tawny.db import queries as sql

TEAM_NAME = "My team"
OWNER = "you@localhost"
PROJECT_SLUG = "first-project"
DEMO = "code_census"

queries = sql.load(__file__)


@dataclass(frozen=True, slots=True)
class FirstStart:
    """A team, a project and a key for somebody who has just arrived."""

    team_id: UUID
    project_id: UUID
    api_key: str = field(repr=False)
    link_token: str = field(repr=False)


async def welcome(url: str) -> FirstStart | None:
    """Make a team, an owner who can sign in by a link, a project and a key in a database without a team; None when it has one."""
    async with database.connection(url) as conn, conn.transaction():
        await queries.take_turn(conn)
        if await queries.any_team(conn):
            return None
        host = Actor.host()
        team = await create_team(conn, host, name=TEAM_NAME, owner_email=OWNER)
        project = await create_project(conn, host, team.team_id, name="First project", slug=PROJECT_SLUG)
        permissions = [permission for permission in PERMISSIONS if permission not in HOST_PERMISSIONS]
        _, api_key = await create_key(conn, host, team.team_id, name="First key", permissions=permissions)
        _, link_token = await make_link(conn, host, OWNER)
    return FirstStart(team.team_id, project.id, api_key, link_token)


def introduce(first: FirstStart, address: str, job_types: Collection[str]) -> list[str]:
    """The lines that tell a newcomer what there is, and the one to try."""
    return [
        f'Made a team "{TEAM_NAME}" ({first.team_id}), a project "{PROJECT_SLUG}" ({first.project_id}),',
        "and this agent key, which is shown only now:",
        "",
        f"  {first.api_key}",
        "",
        "Try it:",
        "",
        curl(address, job_types, first),
        "",
        "Watch it in a browser; this link signs you in once, within an hour:",
        "",
        f"  {address}/sign-in/link?token={first.link_token}",
    ]


def curl(address: str, job_types: Collection[str], first: FirstStart) -> str:
    """One line for a shell: it triggers the demo job, or lists the job types of an app that has none of that name."""
    bearer = f"Authorization: Bearer {first.api_key}"
    if DEMO not in job_types:
        return shlex.join(["curl", "-sS", f"{address}/v1/job-types", "-H", bearer])
    body = json.dumps({"job_type": DEMO, "project_id": str(first.project_id)})
    trigger = f"{address}/v1/teams/{first.team_id}/jobs/trigger"
    return shlex.join(["curl", "-sS", trigger, "-H", bearer, "-H", "Content-Type: application/json", "-d", body])
