"""What requests and answers of the four job endpoints look like.

Requests are checked against these models. Answers are built by PostgreSQL and only documented by them; a test compares the two.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic_core import ErrorDetails, PydanticCustomError

from tawny.api.uuids import parse_uuid
from tawny.errors import InvalidRequest
from tawny.runs import Status


def _uuid(value: object) -> object:
    parsed = parse_uuid(value) if isinstance(value, str) else value
    if parsed is None:
        raise PydanticCustomError("uuid", "should be a UUID")
    return parsed


Id = Annotated[UUID, BeforeValidator(_uuid), WithJsonSchema({"type": "string", "format": "uuid"})]


class Strict(BaseModel):
    """The object in a request: exact types and no unknown names. Null means absent."""

    model_config = ConfigDict(strict=True, extra="forbid")


class Query(BaseModel):
    """The parameters of an address, for the document only: they are read by `parameters`."""


class TriggerBody(Strict):
    """Ask for a run."""

    job_type: str = Field(description="Which job type to run: one of `GET /v1/job-types`.")
    project_id: Id | None = Field(None, description="For which project.")
    params: dict[str, Any] | None = Field(None, description="What the job takes; see its schema in `GET /v1/job-types`.")
    notify: bool | None = Field(None, description="Mail whoever triggered it when the run has ended.")
    dry_run: bool | None = Field(None, description="Only say whether it would be granted: no run is made.")


class CancelBody(Strict):
    """Ask a run to stop. Nothing has to be said about it."""

    include_pending: bool | None = Field(None, description="Whether to cancel the run also while it is pending: at once.")


class RetryBody(Strict):
    """Retry a run. Nothing has to be said about it."""


class Answered(BaseModel):
    """An object in an answer, with every field always there."""

    model_config = ConfigDict(extra="forbid", json_schema_serialization_defaults_required=True)


class Progress(Answered):
    """How far a run is. A total of 0 means that it is not known."""

    processed: int = Field(ge=0)
    total: int = Field(ge=0)
    message: str | None = None


class JobRun(Answered):
    """One run."""

    id: UUID
    job_type: str
    status: Status
    team_id: UUID
    project_id: UUID | None
    triggered_by: str = Field(description="`manual:user:<uuid>`, `manual:api_key:<uuid>` or `schedule`.")
    params: dict[str, Any] | None
    progress: Progress | None
    result: dict[str, Any] | None
    error: str | None = Field(description="Why it failed; null in every other status.")
    notify: bool
    started_at: datetime | None = Field(description="Null while pending, also between two attempts.")
    completed_at: datetime | None = Field(description="When it ended; null before.")
    created_at: datetime


class JobRunAnswer(Answered):
    """One run."""

    job_run: JobRun


class Granted(Answered):
    """With `dry_run`: a run would have been made."""

    granted: bool


class JobRunPage(Answered):
    """Some runs, newest first."""

    job_runs: list[JobRun]
    cursor: str | None = Field(description="Send it to get the next page; null on the last one.")
    has_more: bool


class Cancelled(Answered):
    """The run will end as cancelled, or has."""

    cancelled: bool


class Error(BaseModel):
    """Why a request was not granted. Some errors have further fields."""

    model_config = ConfigDict(extra="allow")

    error: str = Field(description="One sentence, for people.")
    code: str = Field(description="A stable word, for programs.")


class ActiveRunError(Error):
    """A run of this type is pending or running for the project."""

    existing_run_id: UUID


Body = TypeVar("Body", bound=Strict)


def checked(model: type[Body], sent: dict[str, Any] | None) -> Body:
    """Return what was sent (nothing counts as an empty object) as this model; InvalidRequest names the field that is wrong."""
    try:
        return model.model_validate(sent or {})
    except ValidationError as error:
        raise _refusal(error.errors(include_url=False, include_input=False)[0]) from None


_SENTENCES = {
    "string_type": "should be a text",
    "bool_type": "should be true or false",
    "dict_type": "should be an object",
    "model_type": "should be an object",
    "is_instance_of": "should be a UUID",
    "datetime_type": "should be a text",
    "list_type": "should be a list",
}
_OUR_OWN = {"uuid", "job_type", "moment"}
"""Kinds of error whose message is our own sentence."""


def _refusal(detail: ErrorDetails) -> InvalidRequest:
    field = ".".join(map(str, detail["loc"]))[:100]
    if detail["type"] == "extra_forbidden":
        return InvalidRequest(f"The body has an unknown field: {field}.", code="unknown_field", field=field)
    if detail["type"] == "missing":
        return InvalidRequest(f"{field} is required.", code="missing_field", field=field)
    return InvalidRequest(f"{field} {_reason(detail)}.", code="invalid_field", field=field)


def _reason(detail: ErrorDetails) -> str:
    if detail["type"] in _OUR_OWN:
        return detail["msg"]
    if detail["type"] == "literal_error":
        return f"should be {detail['ctx']['expected']}"
    return _SENTENCES.get(detail["type"], "is not valid")
