"""What this server can run."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import Field

from tawny.access import LIST_JOB_TYPES
from tawny.api.credentials import Caller
from tawny.api.envelope import Answered
from tawny.api.openapi import refusals
from tawny.api.state import state_of
from tawny.errors import Forbidden
from tawny.jobs import Job

router = APIRouter(tags=["Job types"])


class ScheduleOfJobType(Answered):
    """When the server runs it by itself."""

    cron: str
    timezone: str


class JobType(Answered):
    """A definition that runs are made of."""

    name: str
    label: str
    description: str
    scope: Literal["project", "system"] = Field(description="Only job types of scope `project` can be triggered by teams.")
    schedule: ScheduleOfJobType | None
    params_schema: dict[str, Any] = Field(description="JSON schema of the `params` that a trigger takes.")
    retries: int = Field(description="How often a run that failed is tried again.")
    timeout_seconds: float | None = Field(description="How long one attempt may take.")


class JobTypes(Answered):
    """All of them, in the order of their definition."""

    job_types: list[JobType]


@router.get("/v1/job-types", responses=refusals(401, 403, 503))
async def list_job_types(request: Request, caller: Caller) -> JobTypes:
    """List the job types of this server. Needs a key with `jobs:read`, or a user who is member of a team."""
    if not caller.teams_for(LIST_JOB_TYPES):
        raise Forbidden("You are not a member of any team; ask an admin of one to add you.", code="not_a_member")
    return JobTypes(job_types=[_shown(job) for job in state_of(request.scope).jobs.values()])


def _shown(job: Job) -> JobType:
    return JobType(
        name=job.name,
        label=job.label,
        description=job.description,
        scope=job.scope,
        schedule=ScheduleOfJobType(cron=job.cron, timezone=job.timezone) if job.cron else None,
        params_schema=job.params.json_schema(),
        retries=job.retries,
        timeout_seconds=job.timeout,
    )
