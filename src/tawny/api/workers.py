"""Who executes a team's runs."""

from __future__ import annotations

from typing import Final, Literal
from uuid import UUID

from pydantic import Field

from tawny import history
from tawny.access import LIST_RUNS
from tawny.api.answers import Answer
from tawny.api.call import Call
from tawny.api.envelope import Answered
from tawny.api.history_envelope import Time
from tawny.api.operation import operation
from tawny.api.state import State
from tawny.builtin import BULK


class RunInHands(Answered):
    """A run that a worker executes now."""

    id: UUID
    job_type: str
    project_id: UUID | None
    started_at: Time


class Worker(Answered):
    """A process that executes runs. It serves every team."""

    id: UUID
    name: str = Field(description="Its machine and process: `host:pid`.")
    version: str = Field(description="Of Tawny.")
    state: Literal["alive", "draining", "silent", "lost"] = Field(
        description="`draining`: it was stopped, ends what it has begun and claims nothing more. `silent`: it has missed several "
        "beats. `lost`: its lease has run out; its runs are about to be taken back, and then it is on no list."
    )
    started_at: Time
    seen_at: Time = Field(description="When it gave the last sign.")
    memory_bytes: int | None = Field(
        description="What its process holds in memory, without those of isolated runs; null where the system does not say."
    )
    running: int = Field(description="Runs in its hands, of all teams and of the server itself.")
    yours: int = Field(description="How many of them are this team's.")
    runs: list[RunInHands] = Field(description="The first 20 of those, the oldest first.")


class WorkersAnswer(Answered):
    """The workers, longest there first."""

    workers: list[Worker] = Field(description="The first 200.")


@operation("GET", "/v1/teams/{team_id}/workers", tag="Runs", answer=WorkersAnswer, refuses=(403,))
async def list_workers(call: Call) -> Answer:
    """See who executes a team's runs, and which: each worker, since when it is there, its version, memory and what it runs now.
    Needs a key with `jobs:read`, or the role admin or owner.

    Workers serve every team. What they run for others is a number. Of each job type the 1,000 oldest active runs are looked at.
    """
    actor, team_id = await call.actor(), call.id("team_id")
    actor.require(team_id, LIST_RUNS)
    async with call.state.pool.acquire() as conn:
        found = await history.workers(conn, actor, team_id, job_types=types_of_teams(call.state))
    return Answer(200, WorkersAnswer.model_validate({"workers": found}, from_attributes=True).model_dump_json().encode())


def types_of_teams(state: State) -> list[str]:
    """The job types that runs of a team can have, with those that nobody asks for by name."""
    return [*(job.name for job in state.jobs.values() if job.scope == "project"), BULK]


OPERATIONS: Final = (list_workers,)
