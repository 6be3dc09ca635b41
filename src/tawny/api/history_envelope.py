"""What answers about the past of runs look like."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, PlainSerializer, WithJsonSchema

from tawny.api.envelope import Answered
from tawny.api.times import format_time
from tawny.history import Ending
from tawny.runs import Status

Level = Literal["debug", "info", "warning", "error"]
Time = Annotated[datetime, PlainSerializer(format_time), WithJsonSchema({"type": "string", "format": "date-time"})]


class EventOfRun(Answered):
    """A fact about a run."""

    seq: int = Field(description="1, 2, 3 … within the run, in the order in which the facts came about.")
    kind: str = Field(description="What happened; see the reference of events.")
    attempt: int = Field(description="To which attempt; 0 before the first one.")
    at: Time
    data: dict[str, Any] = Field(description="What else there is to say about it; which fields depends on the kind.")


class AttemptOfRun(Answered):
    """One try of a run by a worker."""

    number: int = Field(description="Rises with each attempt.")
    worker: str | None = Field(description="The worker's machine and process: `host:pid`.")
    due_at: Time | None = Field(description="When it could have started.")
    started_at: Time
    ended_at: Time | None = Field(description="Null while it runs.")
    waited_ms: int | None = Field(description="From due to started.")
    ran_ms: int | None = Field(description="From started to ended.")
    outcome: Ending | None = Field(
        description="Null while it runs. `retrying`: it failed, and there is another try. `lost`: its worker ended without a "
        "goodbye. `released`: its worker gave it back, without a charge."
    )
    overdue: bool = Field(description="Whether it was told to stop and did not in time.")
    error: str | None
    code: str | None = Field(description="The stable word for the error.")
    traceback: str | None


class TimelineAnswer(Answered):
    """What happened to a run, oldest first."""

    run_id: UUID
    status: Status
    due_at: Time | None = Field(description="When the next attempt may start; null unless the run is pending.")
    retry_of: UUID | None = Field(description="The run that this one repeats.")
    retried_by: list[UUID] = Field(description="The first 100 runs that repeat this one.")
    attempts: list[AttemptOfRun]
    events: list[EventOfRun] = Field(description="The newest 1,000.")
    truncated: bool = Field(description="Whether older events, and the attempts that began before them, are left out.")


class LogLineOfRun(Answered):
    """One line that a handler wrote."""

    seq: int = Field(description="1, 2, 3 … over all attempts of the run.")
    attempt: int
    level: Level
    message: str
    fields: dict[str, Any] | None
    logged_at: datetime = Field(description="By the clock of the worker.")


class LogsAnswer(Answered):
    """Some lines of a run's log, in the order in which they were written."""

    logs: list[LogLineOfRun]
    next_after: int = Field(description="Send it as `after` to read on, also later, when there are new lines.")
    has_more: bool = Field(description="Whether there are further lines now.")
    dropped: int = Field(description="Lines that the run wrote beyond what is kept: 10,000 lines or 1 MiB.")
