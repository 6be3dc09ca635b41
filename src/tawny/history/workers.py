"""Who executes a team's runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from tawny.access import LIST_RUNS, Actor
from tawny.db.pool import Connection
from tawny.history.statements import queries

AT_ONCE: Final = 200
"""Workers that are told: those that have been there longest."""
SHOWN: Final = 20
"""Runs of one worker that are told: the oldest."""
LOOKED_AT: Final = 1_000
"""Active runs of one job type among which those that run are looked for."""

State = Literal["alive", "draining", "silent", "lost"]


@dataclass(frozen=True, slots=True)
class InHands:
    """A run of the team that a worker executes now."""

    id: UUID
    job_type: str
    project_id: UUID | None
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker, as one team may know it.

    `state`: `draining` ends what it has begun and claims nothing more; `silent` has missed several beats and may be frozen or cut
    off; of one that is `lost` the lease has run out, and its runs are about to be taken back, after which it is on no list.
    """

    id: UUID
    name: str
    """Its machine and process: `host:pid`."""
    version: str
    state: State
    started_at: datetime
    seen_at: datetime
    """When it gave the last sign."""
    memory_bytes: int | None
    running: int
    """Runs in its hands at that time, of all teams and of the server itself."""
    yours: int
    """How many of them are the team's."""
    runs: list[InHands]
    """The first 20 of those, the oldest first."""


async def workers(conn: Connection, actor: Actor, team_id: UUID, *, job_types: Sequence[str]) -> list[Worker]:
    """Every worker, longest there first, at most 200, with what it executes for this team: runs of these `job_types`.

    Workers serve every team; of the runs of others this says how many there are and nothing else.
    """
    actor.require(team_id, LIST_RUNS)
    rows = await queries.workers(conn, team_id=team_id, job_types=list(job_types), most=LOOKED_AT, shown=SHOWN, at_once=AT_ONCE)
    return [Worker(**{**row, "runs": [_in_hands(run) for run in json.loads(row["runs"] or "[]")]}) for row in rows]


def _in_hands(told: dict[str, Any]) -> InHands:
    project = told["project_id"]
    return InHands(
        UUID(told["id"]), told["job_type"], UUID(project) if project else None, datetime.fromisoformat(told["started_at"])
    )
