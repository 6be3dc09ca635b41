"""Ask a run to stop."""

from __future__ import annotations

from uuid import UUID

from tawny.access import CANCEL_RUN, Actor
from tawny.db.pool import Connection
from tawny.errors import InvalidRequest, NotFound, Unavailable
from tawny.runs.run import Status
from tawny.runs.statements import queries

_TRIES = 5


async def cancel(conn: Connection, actor: Actor, run_id: UUID, *, include_pending: bool = False) -> UUID | None:
    """Leave the wish that a running run stops, and return the worker to wake (None when it was asked before).

    Once this returns, the run will end cancelled, whatever its handler does from then on. With `include_pending` a pending run
    is cancelled too, at once (None: no worker has it). NotFound when there is no such run for this actor, InvalidRequest naming
    the status when it is neither.
    """
    teams = actor.teams_for(CANCEL_RUN)
    allowed: tuple[Status, ...] = ("pending", "running") if include_pending else ("running",)
    for _ in range(_TRIES):
        asked = await queries.request_cancel(conn, run_id=run_id, team_ids=teams, requested_by=actor.label)
        if asked is not None:
            worker_id: UUID = asked["worker_id"]
            return worker_id
        if include_pending and await queries.cancel_pending(conn, run_id=run_id, team_ids=teams, requested_by=actor.label):
            return None
        found = await queries.status_of(conn, run_id=run_id, team_ids=teams)
        if found is None:
            raise NotFound("Run not found.")
        if found["status"] not in allowed:
            raise InvalidRequest(_why_not(found["status"], allowed), code="not_running")
        if found["cancelling"]:
            return None
        # It changed hands between the statements: ask again.
    raise Unavailable("This run keeps changing hands; try again.")


def _why_not(status: Status, allowed: tuple[Status, ...]) -> str:
    hint = "; with include_pending it is cancelled before it starts" if status == "pending" else ""
    return f"Only a {' or '.join(allowed)} run can be cancelled; this one is {status}{hint}."
