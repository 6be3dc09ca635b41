"""Ask for what an ended run did once more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from uuid import UUID

from tawny.access import TRIGGER_RUN, Actor
from tawny.db.pool import Connection
from tawny.errors import InvalidRequest, NotFound
from tawny.jobs import Job, unique_key
from tawny.runs.idempotency import make_once
from tawny.runs.make import Triggered, Wanted
from tawny.runs.run import OUTCOMES
from tawny.runs.statements import queries
from tawny.runs.trigger import choose_job


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
    ended = await queries.run_to_retry(conn, run_id=run_id, team_ids=list(actor.roles))
    if ended is None:
        raise NotFound("Run not found.")
    actor.require(ended["team_id"], TRIGGER_RUN)
    # It need not be locked: what is terminal does not change any more.
    if ended["status"] not in OUTCOMES:
        raise InvalidRequest(f"Only a run that has ended can be retried; this one is {ended['status']}.", code="not_ended")
    job, params = choose_job(jobs, ended["job_type"]), json.loads(ended["params"])
    wanted = Wanted(
        job=job,
        team_id=ended["team_id"],
        project_id=ended["project_id"],
        triggered_by=f"manual:{actor.label}",
        params=params,
        unique_key=unique_key(job, job.params.check(params)),
        notify=ended["notify"],
        retry_of=run_id,
    )
    return await make_once(conn, wanted, idempotency_key)
