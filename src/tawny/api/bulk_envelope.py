"""What requests and answers of bulk actions look like."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from tawny.api.envelope import Answered, Id, JobRun, Strict
from tawny.api.parameters import FINGERPRINT, JOB_TYPE
from tawny.api.times import parse_time
from tawny.builtin import Action
from tawny.runs import Filter, Status


def _job_type(text: str) -> str:
    if not JOB_TYPE.fullmatch(text):
        raise PydanticCustomError("job_type", "should be the name of a job type")
    return text


JobTypeName = Annotated[str, AfterValidator(_job_type)]


def _moment(value: object) -> object:
    try:
        return parse_time(value, datetime.now(UTC)) if isinstance(value, str) else None
    except ValueError as error:
        raise PydanticCustomError("moment", str(error)) from None


Moment = Annotated[
    datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "examples": ["7d", "2024-02-29T12:00:00Z"]})
]


class BulkFilter(Strict):
    """Which runs a bulk action is about, as in a list. All of the team's, unless said otherwise."""

    job_type: JobTypeName | None = Field(None, description="Only runs of this type.")
    status: Status | None = Field(
        None,
        description="Only runs in this status. For a retry failed, cancelled or completed, and the first two unless given; for a "
        "cancel pending or running, and both unless given.",
    )
    project_id: Id | None = Field(None, description="Only runs for this project.")
    since: Moment | None = Field(None, description="Only runs made since then: `7d` before now, or ISO 8601.")
    until: Moment | None = Field(None, description="Only runs made until then. What is made after the request is never touched.")

    fingerprint: Annotated[str, Field(pattern=f"^{FINGERPRINT.pattern}$")] | None = Field(
        None, description="Only runs that failed so: one of `GET /v1/teams/{team_id}/jobs/errors`."
    )


class BulkBody(Strict):
    """Ask for many runs to be retried or cancelled."""

    action: Action = Field(description="What to do with them.")
    filter: BulkFilter | None = Field(None, description="With which runs.")
    dry_run: bool | None = Field(None, description="Only count them.")

    @property
    def where(self) -> Filter:
        return Filter(**dict(self.filter)) if self.filter else Filter()


class Matched(Answered):
    """How many runs a bulk action would be about."""

    matched: int = Field(ge=0)


class BulkAnswer(Answered):
    """A bulk action that was asked for: how many runs it is about, and the run that does it."""

    matched: int = Field(ge=1)
    job_run: JobRun
