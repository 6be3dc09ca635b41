"""Make pending runs, or say why there is none: what triggers, retries and schedules share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from tawny.access import Signature
from tawny.db.ids import uuid7
from tawny.db.pool import Connection
from tawny.errors import Conflict, NotFound, Unavailable
from tawny.jobs import Job
from tawny.runs.statements import queries

_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A run that somebody asked for who may: all that was checked. `params` as sent, with the project's id.

    `signed`: who is named in the audit log. Runs that are made many at once leave no row there: what asked for them has left one.
    """

    job: Job
    team_id: UUID
    project_id: UUID
    triggered_by: str
    signed: Signature
    params: Mapping[str, Any]
    unique_key: str | None
    notify: bool
    retry_of: UUID | None = None


@dataclass(frozen=True, slots=True)
class Once:
    """An idempotency key, and a hash of what it was sent with."""

    key: str
    request_hash: bytes


@dataclass(frozen=True, slots=True)
class Triggered:
    """A run that was made, and its public JSON as it was then. `replayed`: by an earlier request with the same key."""

    id: UUID
    run_json: str
    replayed: bool = False


async def make(conn: Connection, wanted: Wanted, once: Once | None = None) -> Triggered:
    """Make the run, and store the answer under the key in the same statement.

    NotFound for a project that is not the team's, Conflict with `existing_run_id` while the slot is taken. With `once`,
    asyncpg's UniqueViolationError where the key has an answer already; that aborts a transaction, so let there be none.
    """
    for _ in range(_TRIES):
        row = await queries.trigger(
            conn,
            id=uuid7(),
            team_id=wanted.team_id,
            project_id=wanted.project_id,
            job_type=wanted.job.name,
            triggered_by=wanted.triggered_by,
            params=_json(wanted.params),
            notify=wanted.notify,
            unique_key=wanted.unique_key,
            timeout_seconds=wanted.job.timeout,
            retry_of=wanted.retry_of,
            idempotency_key=once.key if once else None,
            request_hash=once.request_hash if once else None,
            actor_type=wanted.signed.actor_type,
            actor_id=wanted.signed.actor_id,
        )
        if row is not None:
            return Triggered(row["id"], row["run"])
        await check(conn, wanted)
    raise Unavailable("The run that holds this slot keeps changing; try again.")


Fate = Literal["made", "already_active", "project_gone"]
"""What became of a run that was wanted among many."""


async def make_many(conn: Connection, team_id: UUID, triggered_by: str, wanted: Sequence[Wanted]) -> list[Fate]:
    """Make runs of one team in one statement, and return what became of each. The first ones come first where slots are few."""
    ids = [uuid7() for _ in wanted]
    rows = await queries.trigger_many(
        conn,
        team_id=team_id,
        triggered_by=triggered_by,
        ids=ids,
        project_ids=[w.project_id for w in wanted],
        job_types=[w.job.name for w in wanted],
        params=[_json(w.params) for w in wanted],
        notifies=[w.notify for w in wanted],
        unique_keys=[w.unique_key for w in wanted],
        timeouts=[w.job.timeout for w in wanted],
        retries_of=[w.retry_of for w in wanted],
    )
    fates = {row["id"]: _fate(row) for row in rows}
    return [fates[run_id] for run_id in ids]


def _fate(row: Any) -> Fate:
    if row["made"]:
        return "made"
    return "already_active" if row["living"] else "project_gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """A run that a schedule asks for. Without a team and a project it is a system run."""

    job: Job
    team_id: UUID | None
    project_id: UUID | None
    params: Mapping[str, Any]
    unique_key: str | None
    schedule_id: UUID
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Granted:
    """What a schedule got: the run that was `made`, or that was in the way, if that is known."""

    run_id: UUID | None
    made: bool


async def make_scheduled(tx: Connection, wanted: Sequence[Scheduled]) -> list[Granted]:
    """Make runs of many teams in one statement, and return what became of each.

    Needs a transaction that holds their projects. asyncpg's LockNotAvailableError when somebody else's transaction is about to
    make one of them, and does not end.
    """
    ids = [uuid7() for _ in wanted]
    rows = await queries.trigger_scheduled(
        tx,
        ids=ids,
        team_ids=[w.team_id for w in wanted],
        project_ids=[w.project_id for w in wanted],
        job_types=[w.job.name for w in wanted],
        params=[_json(w.params) for w in wanted],
        unique_keys=[w.unique_key for w in wanted],
        timeouts=[w.job.timeout for w in wanted],
        schedule_ids=[w.schedule_id for w in wanted],
        due_ats=[w.due_at for w in wanted],
    )
    granted = {row["id"]: Granted(row["id"] if row["made"] else row["active_id"], row["made"]) for row in rows}
    return [granted[run_id] for run_id in ids]


def _json(params: Mapping[str, Any]) -> str:
    return json.dumps(params, ensure_ascii=False)


async def check(conn: Connection, wanted: Wanted) -> None:
    """Raise why no run can be made: NotFound or Conflict, as `make`; return when it could be now."""
    found = await queries.why_not_triggered(
        conn,
        team_id=wanted.team_id,
        project_id=wanted.project_id,
        job_type=wanted.job.name,
        unique_key=wanted.unique_key,
    )
    if found is None:
        raise NotFound("Project not found.")
    if found["id"] is not None:
        raise Conflict(_why_taken(wanted.job, found), code="already_active", existing_run_id=str(found["id"]))


def _why_taken(job: Job, active: Any) -> str:
    where = "for this project" + (f" with the same {' and '.join(job.unique_by)}" if job.unique_by else "")
    if active["waits"]:
        return (
            f"A run of {job.name} {where} waits for its next attempt, due at {active['run_at']}; cancel it or wait for it to end."
        )
    return f"A run of {job.name} is already {active['status']} {where}; wait for it to end or cancel it."
