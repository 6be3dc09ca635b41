"""Delete a project, and end what runs for it."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from tawny import access
from tawny.access import Actor
from tawny.db.pool import Connection
from tawny.runs.cancel import cancel_many
from tawny.runs.statements import queries


async def delete_project(conn: Connection, actor: Actor, project_id: UUID) -> Collection[UUID]:
    """Delete a project softly and cancel its active runs, and return the workers to wake.

    Pending runs end with it, running ones are asked to stop. No run is left out: whoever triggers one at this moment holds the
    project until the commit, so is either waited for here or finds the project gone. In one transaction, which the caller opens.
    The same NotFound when there is no such project and when it is not for this actor.
    """
    project = await access.delete_project(conn, actor, project_id)
    active = await queries.active_runs_of_project(conn, team_id=project.team_id, project_id=project_id)
    cancelled = await cancel_many(conn, project.team_id, [row["id"] for row in active], by=actor.label)
    return cancelled.worker_ids
