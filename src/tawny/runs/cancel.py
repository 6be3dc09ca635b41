"""Ask a run to stop."""

from __future__ import annotations

from uuid import UUID

from tawny.access import CANCEL_RUN, Actor
from tawny.db.pool import Connection
from tawny.errors import InvalidRequest, NotFound, Unavailable
from tawny.runs.statements import queries

_TRIES = 5


async def cancel(conn: Connection, actor: Actor, run_id: UUID) -> UUID | None:
    """Leave the wish that a running run stops, and return the worker to wake (None when it was asked before).

    Once this returns, the run will end cancelled, whatever its handler does from then on. NotFound when there is no such run for
    this actor, InvalidRequest naming the status when it is not running.
    """
    teams = actor.teams_for(CANCEL_RUN)
    for _ in range(_TRIES):
        asked = await queries.request_cancel(conn, run_id=run_id, team_ids=teams, requested_by=actor.label)
        if asked is not None:
            worker_id: UUID = asked["worker_id"]
            return worker_id
        found = await queries.status_of(conn, run_id=run_id, team_ids=teams)
        if found is None:
            raise NotFound("Run not found.")
        if found["status"] != "running":
            raise InvalidRequest(f"Only a running run can be cancelled; this one is {found['status']}.", code="not_running")
        if found["cancelling"]:
            return None
        # It began to run between the two statements: ask again.
    raise Unavailable("This run keeps changing hands; try again.")
