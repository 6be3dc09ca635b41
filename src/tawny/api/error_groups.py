"""What a team's runs fail of."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from pydantic import Field

from tawny import history
from tawny.access import LIST_RUNS
from tawny.api import parameters
from tawny.api.answers import Answer
from tawny.api.call import Call
from tawny.api.envelope import Answered, Query
from tawny.api.history_envelope import Time
from tawny.api.operation import operation

_KNOWN: Final = frozenset({"project_id", "job_type", "since"})


class ErrorGroup(Answered):
    """Failed runs of one job type whose errors differ in nothing but numbers, ids and addresses."""

    fingerprint: str = Field(description="What they have in common, for the `fingerprint` of a list or of a bulk action.")
    job_type: str
    runs: int = Field(description="How many of the failed runs that were looked at are of this group.")
    first_seen_at: Time = Field(description="When the first of those ended.")
    last_seen_at: Time
    newest_run_id: UUID
    error: str | None = Field(description="That of the newest run.")


class ErrorGroupsAnswer(Answered):
    """The groups, the largest first."""

    errors: list[ErrorGroup] = Field(description="The first 100.")
    looked_at: int = Field(description="How many failed runs were grouped: the newest 10,000 at most.")
    capped: bool = Field(description="Whether there may be older ones.")
    found: int = Field(description="How many groups there are.")


class WhichErrors(Query):
    """Of which runs."""

    project_id: UUID | None = Field(None, description="Only runs for this project.")
    job_type: str | None = Field(None, description="Only runs of this type.")
    since: str | None = Field(None, description="Only runs made since then: `7d` before now, or ISO 8601.")


@operation("GET", "/v1/teams/{team_id}/jobs/errors", tag="Runs", answer=ErrorGroupsAnswer, query=WhichErrors, refuses=(400, 403))
async def list_errors(call: Call) -> Answer:
    """See what a team's runs fail of: those that are alike, counted together. Needs a key with `jobs:read`, or the role admin or
    owner.

    What it costs the server does not grow with the number of runs: the newest 10,000 failed runs are looked at.
    """
    actor, team_id = await call.actor(), call.id("team_id")
    actor.require(team_id, LIST_RUNS)
    given = parameters.read(call.query, _KNOWN)
    project_id, job_type = parameters.project_id(given), parameters.job_type(given)
    since = parameters.time(given, "since", datetime.now(UTC))
    async with call.state.pool.acquire() as conn:
        found = await history.error_groups(conn, actor, team_id, project_id=project_id, job_type=job_type, since=since)
    told = asdict(found)
    return Answer(200, ErrorGroupsAnswer(errors=told.pop("groups"), **told).model_dump_json().encode())


OPERATIONS: Final = (list_errors,)
