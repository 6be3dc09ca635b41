"""What a project starts by itself."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import Field

from tawny import schedules
from tawny.access import WRITE_SCHEDULES
from tawny.api.answers import Answer, answered
from tawny.api.call import Call
from tawny.api.envelope import ActiveRunError, Answered, JobRunAnswer, Strict, checked
from tawny.api.idempotency import answer_with
from tawny.api.operation import operation
from tawny.api.projects import Deleted, actor_in_project
from tawny.errors import InvalidRequest
from tawny.jobs import CatchUp

TAG: Final = "Schedules"
PATH: Final = "/v1/projects/{project_id}/schedules"

_CRON: Final = "Five fields: minute, hour, day of month, month, day of week."
_ZONE: Final = "By whose clock, such as `Europe/Vienna`."
_CATCH_UP: Final = "Which due times that passed while nothing ran are made up for."
_ENABLED: Final = "False while it is paused: its due times are written down, and nothing starts."


class NewScheduleBody(Strict):
    """What to start, and when."""

    job_type: str = Field(description="Which job type to run: one of `GET /v1/job-types` with scope `project`.")
    cron: str = Field(description=_CRON)
    timezone: str | None = Field(None, description=f"{_ZONE} UTC unless given.")
    catch_up: CatchUp | None = Field(None, description=f"{_CATCH_UP} `last` unless given.")
    params: dict[str, Any] | None = Field(None, description="What each run is started with.")
    enabled: bool | None = Field(None, description=f"{_ENABLED} True unless given.")


class ScheduleBody(Strict):
    """What to change. What is left out stays as it is."""

    cron: str | None = Field(None, description=_CRON)
    timezone: str | None = Field(None, description=_ZONE)
    catch_up: CatchUp | None = Field(None, description=_CATCH_UP)
    params: dict[str, Any] | None = Field(None, description="In place of all that it has.")
    enabled: bool | None = Field(None, description=_ENABLED)


class TickOut(Answered):
    """A due time and what became of it. Where nothing ran for more than a day, all that lie before are one."""

    due_at: datetime
    decision: schedules.Decision
    reason: str | None = Field(description="Why nothing was started.")
    run_id: UUID | None = Field(description="The run that was started, or that was in the way.")
    until: datetime | None = Field(description="The last due time of several in one.")
    times: int = Field(description="How many due times this is about.")
    decided_at: datetime


class Schedule(Answered):
    """When a project's job starts by itself."""

    id: UUID
    project_id: UUID
    job_type: str
    cron: str
    timezone: str
    catch_up: CatchUp
    params: dict[str, Any]
    enabled: bool
    next_times: list[datetime] = Field(description="The next five due times; none while it is paused.")
    last_tick: TickOut | None
    created_at: datetime
    updated_at: datetime


class ScheduleWithTicks(Schedule):
    """A schedule, and what became of its due times."""

    ticks: list[TickOut] = Field(description="The newest 50, the newest first.")


class Schedules(Answered):
    """Oldest first."""

    schedules: list[Schedule]


@operation("GET", PATH, tag=TAG, answer=Schedules, refuses=(403, 404))
async def list_schedules(call: Call) -> Answer:
    """List the schedules of a project. Needs a key with `jobs:read`, or the role admin or owner."""
    actor = await call.actor()
    async with call.state.pool.acquire() as conn:
        found = await schedules.list_schedules(conn, actor, call.id("project_id"))
    return answered({"schedules": [_shown(schedule) for schedule in found]})


@operation("POST", PATH, tag=TAG, answer=Schedule, status=201, body=NewScheduleBody, refuses=(403, 404))
async def create_schedule(call: Call) -> Answer:
    """Let a job of a project start by itself. Needs a key with `jobs:write`, or the role admin or owner."""
    actor = await actor_in_project(call, WRITE_SCHEDULES)
    body = checked(NewScheduleBody, await call.body())
    async with call.state.pool.transaction() as conn:
        made = await schedules.create_schedule(
            conn, actor, call.state.jobs, call.id("project_id"), **body.model_dump(exclude_none=True)
        )
    return answered(_shown(made), 201)


@operation("GET", f"{PATH}/{{schedule_id}}", tag=TAG, answer=ScheduleWithTicks, refuses=(403, 404))
async def view_schedule(call: Call) -> Answer:
    """View a schedule, and what became of its due times. Needs a key with `jobs:read`, or the role admin or owner."""
    actor = await call.actor()
    async with call.state.pool.acquire() as conn:
        found, ticks = await schedules.find_schedule(conn, actor, call.id("project_id"), call.id("schedule_id"))
    return answered(_shown(found) | {"ticks": [asdict(tick) for tick in ticks]})


@operation("PATCH", f"{PATH}/{{schedule_id}}", tag=TAG, answer=Schedule, body=ScheduleBody, refuses=(403, 404))
async def update_schedule(call: Call) -> Answer:
    """Change a schedule; `enabled` pauses it or lets it go on. Needs a key with `jobs:write`, or the role admin or owner."""
    actor = await actor_in_project(call, WRITE_SCHEDULES)
    given = checked(ScheduleBody, await call.body()).model_dump(exclude_none=True)
    if not given:
        raise InvalidRequest("Nothing to change: send a cron, timezone, catch_up, params or enabled.", code="nothing_to_change")
    async with call.state.pool.transaction() as conn:
        changed = await schedules.update_schedule(
            conn, actor, call.state.jobs, call.id("project_id"), call.id("schedule_id"), **given
        )
    return answered(_shown(changed))


@operation("DELETE", f"{PATH}/{{schedule_id}}", tag=TAG, answer=Deleted, refuses=(403, 404))
async def delete_schedule(call: Call) -> Answer:
    """Delete a schedule; runs that it has started go on. Needs a key with `jobs:write`, or the role admin or owner."""
    actor = await call.actor()
    async with call.state.pool.transaction() as conn:
        await schedules.delete_schedule(conn, actor, call.id("project_id"), call.id("schedule_id"))
    return answered({"deleted": True})


@operation(
    "POST",
    f"{PATH}/{{schedule_id}}/run",
    tag=TAG,
    answer=JobRunAnswer,
    status=201,
    also={409: ActiveRunError},
    refuses=(400, 403, 404, 429),
)
async def run_schedule(call: Call) -> Answer:
    """Run now what a schedule would run; its due times stay as they are. Needs a key with `jobs:write`, or admin or owner.

    The run is the caller's, as one that they have triggered.
    """
    actor = await actor_in_project(call, WRITE_SCHEDULES)
    call.state.pace.spend(actor)
    async with call.state.pool.transaction() as conn:
        made = await schedules.run_now(conn, actor, call.state.jobs, call.id("project_id"), call.id("schedule_id"))
    return answer_with(call, made)


OPERATIONS: Final = (list_schedules, create_schedule, view_schedule, update_schedule, delete_schedule, run_schedule)


def _shown(schedule: schedules.Schedule) -> dict[str, Any]:
    """A schedule as clients see it."""
    shown = asdict(schedule)
    del shown["team_id"]
    return shown | {"last_tick": shown.pop("last")}
