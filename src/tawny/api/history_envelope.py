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


class Count(Answered):
    """How many runs there are."""

    count: int
    capped: bool = Field(description="Counting stopped here: there are at least so many.")


class Quantiles(Answered):
    """Seconds; null when there was nothing to measure."""

    p50: float | None = Field(description="Half took at most so long.")
    p95: float | None = Field(description="95 of 100 took at most so long.")


class RecentRuns(Answered):
    """What the newest runs that completed or failed say: 1,000 at most, of one job type 100."""

    runs: int = Field(description="How many they are.")
    failure_share: float | None = Field(description="From 0 to 1; null when there are none.")
    run_seconds: Quantiles = Field(description="How long their last attempts took.")
    wait_seconds: Quantiles = Field(description="How long those attempts waited once they were due.")


class SummaryOfRuns(Answered):
    """Pending and running: now. Completed, failed, cancelled and `recent`: of those triggered since `since`."""

    pending: Count
    running: Count
    completed: Count
    failed: Count
    cancelled: Count
    oldest_waiting_seconds: float | None = Field(description="For how long the run has been due that waits longest.")
    recent: RecentRuns


class HourOfRuns(Answered):
    """How the runs ended that were triggered in one hour; of more than 2,000 the newest."""

    at: Time
    completed: int
    failed: int
    cancelled: int
    capped: bool = Field(description="Counting stopped: more of them may have ended.")


class SummaryOfType(Answered):
    """The runs of one job type. Its counts stop at 1,000."""

    job_type: str
    runs: SummaryOfRuns


class StatsAnswer(Answered):
    """How a team's runs are doing."""

    since: Time = Field(description="The beginning of the first hour.")
    runs: SummaryOfRuns = Field(description="All of them. Counts stop at 10,000.")
    hours: list[HourOfRuns] = Field(description="The 24 hours of the clock up to now, oldest first.")
    job_types: list[SummaryOfType] = Field(description="By job type, for the first 100 of `GET /v1/job-types`.")
    workers: int = Field(description="How many workers are alive now. They serve every team.")
