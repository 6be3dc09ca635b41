"""Ask for a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from tawny.access import TRIGGER_RUN, Actor, Operation, Signature, signature_of
from tawny.db.ids import uuid7
from tawny.db.pool import Connection
from tawny.errors import Conflict, InvalidRequest, Unavailable
from tawny.jobs import RESERVED, Job, unique_key
from tawny.runs.idempotency import make_once
from tawny.runs.make import Fate, Triggered, Wanted, check, make_many
from tawny.runs.statements import queries

_TRIES = 5


def choose_job(jobs: Mapping[str, Job], job_type: str) -> Job:
    """Return the job type that a team may trigger by this name; InvalidRequest with what there is otherwise."""
    if job_type.startswith(RESERVED):
        raise InvalidRequest(
            f"Job types that start with {RESERVED} are the server's own; they cannot be triggered by name.", code="builtin_job"
        )
    job = jobs.get(job_type)
    if job is None:
        offered = ", ".join(sorted(name for name, job in jobs.items() if job.scope == "project")) or "none"
        raise InvalidRequest(f"Unknown job_type. This server offers: {offered}.", code="unknown_job_type")
    if job.scope == "system":
        raise InvalidRequest(f'"{job_type}" is a system job; only the operator triggers it, on the host.', code="system_job")
    return job


async def trigger(
    conn: Connection,
    actor: Actor,
    job: Job,
    *,
    team_id: UUID,
    project_id: UUID | None,
    params: Mapping[str, Any] | None = None,
    notify: bool = False,
    idempotency_key: str | None = None,
    needs: Operation = TRIGGER_RUN,
) -> Triggered:
    """Make a pending run of `job` for a project of the team. `needs`: what the actor has to be allowed.

    `params` are checked against the job's schema and stored as they were sent, with the project's id added. Raises
    InvalidRequest for params that do not fit or a missing project, NotFound for a project that is not the team's, and Conflict
    with `existing_run_id` while a run of this type is pending or running for the project (with `unique_by`: one with the same
    values of the params that it names).

    Requests of a team with the same `idempotency_key` make one run; see `make_once`.
    """
    wanted = _wanted(actor, job, team_id, project_id, params, notify=notify, needs=needs)
    return await make_once(conn, wanted, idempotency_key)


async def check_trigger(
    conn: Connection, actor: Actor, job: Job, *, team_id: UUID, project_id: UUID | None, params: Mapping[str, Any] | None = None
) -> None:
    """Raise what `trigger` would raise now, and make no run."""
    await check(conn, _wanted(actor, job, team_id, project_id, params, notify=False))


def _wanted(
    actor: Actor,
    job: Job,
    team_id: UUID,
    project_id: UUID | None,
    params: Mapping[str, Any] | None,
    *,
    notify: bool,
    needs: Operation = TRIGGER_RUN,
) -> Wanted:
    actor.require(team_id, needs)
    if project_id is None:
        raise InvalidRequest("project_id is required: this job runs for one project.", code="project_required")
    sent = params_of_project(params or {}, project_id)
    return Wanted(
        job=job,
        team_id=team_id,
        project_id=project_id,
        triggered_by=f"manual:{actor.label}",
        signed=signature_of(actor),
        params=sent,
        unique_key=unique_key(job, job.params.check(sent)),
        notify=notify,
    )


def params_of_project(params: Mapping[str, Any], project_id: UUID) -> dict[str, Any]:
    """The params as they are stored, with the project's id; InvalidRequest when they name another one."""
    given = params.get("project_id")
    if given is not None and str(given).lower() != str(project_id):
        raise InvalidRequest("params.project_id differs from project_id; leave it out.", code="project_mismatch")
    return {**params, "project_id": str(project_id)}


async def trigger_system(conn: Connection, actor: Actor, job: Job, *, params: Mapping[str, Any] | None = None) -> Triggered:
    """Make a pending run of a system job. Only the operator on the host may; Conflict while one is active."""
    actor.require_host()
    if job.scope != "system":
        raise InvalidRequest(f'"{job.name}" is a project job; trigger it through the API.', code="not_a_system_job")
    job.params.check(dict(params or {}))
    run_id = await queries.trigger_system(
        conn,
        id=uuid7(),
        job_type=job.name,
        triggered_by="manual:host",
        params=json.dumps(dict(params or {})),
        timeout_seconds=job.timeout,
    )
    if run_id is None:
        active = await queries.active_system_run(conn, job_type=job.name)
        raise Conflict(f"A run of {job.name} is active; wait for it to end.", code="already_active", existing_run_id=str(active))
    return Triggered(run_id["id"], "")


async def trigger_within(conn: Connection, job: Job, *, by: Job, team_id: UUID, project_id: UUID) -> Fate:
    """Make a pending run of `job` for a project, because a run of the system job `by` says so; return what became of that."""
    params = {"project_id": str(project_id)}
    wanted = Wanted(
        job=job,
        team_id=team_id,
        project_id=project_id,
        triggered_by=f"system:{by.name}",
        signed=Signature("system", None),
        params=params,
        unique_key=unique_key(job, job.params.check(params)),
        notify=False,
    )
    (fate,) = await make_many(conn, team_id, wanted.triggered_by, [wanted])
    return fate


async def trigger_builtin(
    conn: Connection, actor: Actor, job_type: str, *, team_id: UUID, params: Mapping[str, Any], slot: str
) -> Triggered:
    """Make a pending run of one of the server's own job types for a team.

    Conflict with `existing_run_id` while one is active in the same slot. Whether the actor may is for the caller to say.
    """
    for _ in range(_TRIES):
        run_id, which = uuid7(), {"team_id": team_id, "job_type": job_type, "unique_key": slot}
        made = await queries.trigger_builtin(
            conn,
            id=run_id,
            triggered_by=f"manual:{actor.label}",
            params=json.dumps(params),
            **which,
            **asdict(signature_of(actor)),
        )
        if made is not None:
            return Triggered(run_id, made)
        active = await queries.active_builtin_run(conn, **which)
        if active is not None:
            raise Conflict(
                f"A {slot} of this kind is under way in this team; wait for it to end or cancel it.",
                code="already_active",
                existing_run_id=str(active),
            )
    raise Unavailable("The run that holds this slot keeps changing; try again.")
