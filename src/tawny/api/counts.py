"""How many runs are in which status."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from tawny import runs
from tawny.access import LIST_RUNS
from tawny.api.answers import Answer, answered
from tawny.api.call import Call
from tawny.api.envelope import Answered, Query
from tawny.api.operation import operation
from tawny.api.parameters import FINGERPRINT, JOB_TYPE
from tawny.api.query import parse_query


class StatusCount(Answered):
    """How many runs are in one status."""

    count: int = Field(ge=0)
    capped: bool = Field(description="Counting stopped here: there are at least so many.")


class CountsOfStatuses(Answered):
    """How many runs are in each status. Counting stops at 1,000, for pending and running ones together."""

    pending: StatusCount
    running: StatusCount
    completed: StatusCount
    failed: StatusCount
    cancelled: StatusCount


class CountsQuery(Query):
    """Which runs to count, as in a list."""

    job_type: str | None = Field(None, pattern=f"^{JOB_TYPE.pattern}$", description="Only runs of this type.")
    project_id: str | None = Field(None, json_schema_extra={"format": "uuid"}, description="Only runs for this project.")
    since: str | None = Field(None, description="Only runs made since then: `7d` before now, or ISO 8601.")
    until: str | None = Field(None, description="Only runs made until then.")
    fingerprint: str | None = Field(None, pattern=f"^{FINGERPRINT.pattern}$", description="Only runs that failed so.")


@operation("GET", "/v1/teams/{team_id}/jobs/counts", tag="Runs", answer=CountsOfStatuses, query=CountsQuery, refuses=(400, 403))
async def count_runs(call: Call) -> Answer:
    """Count a team's runs by status. Needs a key with `jobs:read`, or the role admin or owner."""
    actor, team_id = await call.actor(), call.id("team_id")
    actor.require(team_id, LIST_RUNS)
    where = parse_query(call.query).where
    async with call.state.pool.acquire() as conn:
        counts = await runs.count_by_status(conn, actor, team_id, where=where)
    return answered({status: {"count": found.count, "capped": found.capped} for status, found in counts.items()})


OPERATIONS: Final = (count_runs,)
