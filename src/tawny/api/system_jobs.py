"""What the server does for itself, for its operator."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from tawny import runs
from tawny.api import parameters
from tawny.api.answers import Answer
from tawny.api.call import Call
from tawny.api.envelope import Answered, JobRun, Query
from tawny.api.jobs import page_of
from tawny.api.operation import operation
from tawny.api.parameters import LIMIT_DEFAULT, LIMIT_MAX
from tawny.runs import Position

TAG: Final = "System jobs"
_KNOWN: Final = frozenset({"job_type", "limit", "cursor"})


class SystemRun(JobRun):
    """A run of no team."""

    team_id: None = Field(description="Always null.")  # type: ignore[assignment]


class SystemRunPage(Answered):
    """Some system runs, newest first."""

    job_runs: list[SystemRun]
    cursor: str | None = Field(description="Send it to get the next page; null on the last one.")
    has_more: bool


class WhichSystemRuns(Query):
    """Which of them."""

    job_type: str | None = Field(None, description="Only those of this system job.")
    limit: int = Field(LIMIT_DEFAULT, ge=1, le=LIMIT_MAX, description="How many at most.")
    cursor: str | None = Field(None, description="That of the page before.")


@operation("GET", "/v1/system/jobs", tag=TAG, answer=SystemRunPage, query=WhichSystemRuns, refuses=(400, 403))
async def list_system_runs(call: Call) -> Answer:
    """List system runs, newest first. Needs a key with `system:read`, which is made on the host, by `tawny admin create-key`."""
    actor = await call.actor()
    actor.require_operator()
    given = parameters.read(call.query, _KNOWN)
    job_type, after = parameters.job_type(given), parameters.position(given)
    limit = parameters.number(given, "limit", default=LIMIT_DEFAULT, least=1, most=LIMIT_MAX)
    async with call.state.pool.acquire() as conn:
        page = await runs.list_system_runs(conn, actor, limit=limit, job_type=job_type, after=Position(*after) if after else None)
    return Answer(200, page_of(page))


OPERATIONS: Final = (list_system_runs,)
