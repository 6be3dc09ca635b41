"""Ask runs to stop."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tawny.access import CANCEL_RUN, Actor, Signature, signature_of
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
        asked = await _ask(conn, [run_id], team_ids=teams, statuses=allowed, by=actor.label, signed=signature_of(actor))
        if asked:
            worker_id: UUID | None = asked[0]["worker_id"]
            return worker_id
        found = await queries.status_of(conn, run_id=run_id, team_ids=teams)
        if found is None:
            raise NotFound("Run not found.")
        if found["status"] not in allowed:
            raise InvalidRequest(_why_not(found["status"], allowed), code="not_running")
        if found["cancelling"]:
            return None
        # It changed hands between the two statements: ask again.
    raise Unavailable("This run keeps changing hands; try again.")


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What a cancel of several runs did."""

    ended: int
    """Pending runs that were cancelled at once."""
    asked: int
    """Running runs that will end cancelled."""
    worker_ids: Collection[UUID]
    """Who has them: the workers to wake."""


async def cancel_many(conn: Connection, team_id: UUID, run_ids: Sequence[UUID], *, by: str) -> Cancelled:
    """Cancel those of these runs of the team that are pending or running, as `cancel` does. `by`: the label of who asks."""
    asked = await _ask(conn, run_ids, team_ids=[team_id], statuses=("pending", "running"), by=by)
    workers = [row["worker_id"] for row in asked if row["worker_id"] is not None]
    return Cancelled(len(asked) - len(workers), len(workers), frozenset(workers))


async def _ask(
    conn: Connection,
    run_ids: Sequence[UUID],
    *,
    team_ids: Sequence[UUID],
    statuses: Sequence[Status],
    by: str,
    signed: Signature | None = None,
) -> list[Any]:
    rows: list[Any] = await queries.cancel(
        conn,
        run_ids=run_ids,
        team_ids=team_ids,
        statuses=statuses,
        requested_by=by,
        actor_type=signed.actor_type if signed else None,
        actor_id=signed.actor_id if signed else None,
    )
    return rows


def _why_not(status: Status, allowed: tuple[Status, ...]) -> str:
    hint = "; with include_pending it is cancelled before it starts" if status == "pending" else ""
    return f"Only a {' or '.join(allowed)} run can be cancelled; this one is {status}{hint}."
