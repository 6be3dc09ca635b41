"""Ask for what ended runs did once more."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from tawny.access import TRIGGER_RUN, Actor, Signature, signature_of
from tawny.db.pool import Connection
from tawny.errors import InvalidRequest, NotFound
from tawny.jobs import Job, unique_key
from tawny.runs.idempotency import make_once
from tawny.runs.make import Triggered, Wanted, make_many
from tawny.runs.run import OUTCOMES
from tawny.runs.statements import queries
from tawny.runs.trigger import choose_job

_UNSIGNED: Final = Signature("system", None)


async def retry(
    conn: Connection, actor: Actor, run_id: UUID, jobs: Mapping[str, Job], *, idempotency_key: str | None = None
) -> Triggered:
    """Make a pending run of the same job type and project, with the same params and `notify`; it remembers whose retry it is.

    The job type and its options are those of today. Raises NotFound when there is no such run for this actor, or its project is
    gone, InvalidRequest when it has not ended, or its job type is gone or takes other params now, and Conflict as `trigger` does.
    Requests of a team with the same `idempotency_key` make one run; see `make_once`.
    """
    actor.teams_for(TRIGGER_RUN)
    # Of every team that the actor is in: who may see the run but not trigger is told so.
    found = await queries.runs_to_retry(conn, run_ids=[run_id], team_ids=list(actor.roles))
    if not found:
        raise NotFound("Run not found.")
    (ended,) = found
    actor.require(ended["team_id"], TRIGGER_RUN)
    # It need not be locked: what is terminal does not change any more.
    if ended["status"] not in OUTCOMES:
        raise InvalidRequest(f"Only a run that has ended can be retried; this one is {ended['status']}.", code="not_ended")
    return await make_once(conn, _once_more(ended, jobs, f"manual:{actor.label}", signature_of(actor)), idempotency_key)


async def require_role_to_retry(conn: Connection, actor: Actor, run_id: UUID) -> None:
    """Raise Forbidden when this actor is in the run's team, but their role there is too low. Of other runs it says nothing."""
    if len(actor.teams_for(TRIGGER_RUN)) == len(actor.roles):
        return
    for found in await queries.runs_to_retry(conn, run_ids=[run_id], team_ids=list(actor.roles)):
        actor.require(found["team_id"], TRIGGER_RUN)


async def retry_many(
    conn: Connection, team_id: UUID, run_ids: Sequence[UUID], jobs: Mapping[str, Job], *, triggered_by: str
) -> Counter[str]:
    """Retry these ended runs of the team as `retry` does, the newest first, and count what became of them.

    `made` are the new runs. Why there is none for another: `already_active`, `project_gone`, or the code of what `retry` would
    have raised, such as `unknown_job_type` and `invalid_params`.
    """
    fates: Counter[str] = Counter()
    wanted: list[Wanted] = []
    for ended in await queries.runs_to_retry(conn, run_ids=run_ids, team_ids=[team_id]):
        try:
            wanted.append(_once_more(ended, jobs, triggered_by, _UNSIGNED))
        except InvalidRequest as error:
            fates[error.code] += 1
    if wanted:
        fates.update(await make_many(conn, team_id, triggered_by, wanted))
    return fates


def _once_more(ended: Any, jobs: Mapping[str, Job], triggered_by: str, signed: Signature) -> Wanted:
    """The run that would be a retry of this one; InvalidRequest when its job type is gone or takes other params now."""
    job, params = choose_job(jobs, ended["job_type"]), json.loads(ended["params"])
    return Wanted(
        job=job,
        team_id=ended["team_id"],
        project_id=ended["project_id"],
        triggered_by=triggered_by,
        signed=signed,
        params=params,
        unique_key=unique_key(job, job.params.check(params)),
        notify=ended["notify"],
        retry_of=ended["id"],
    )
