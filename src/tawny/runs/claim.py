"""Take due runs for a worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tawny.db.pool import Connection
from tawny.runs.statements import queries


@dataclass(frozen=True, slots=True)
class Claimed:
    """One run in the hands of a worker, for this attempt. JSON fields are texts, or None."""

    id: UUID
    attempt: int
    job_type: str
    team_id: UUID | None
    project_id: UUID | None
    params: str | None
    checkpoint: str | None
    progress: str | None
    timeout_seconds: float | None
    failures: int
    crashes: int


async def claim(conn: Connection, worker_id: UUID, *, job_types: Sequence[str], slots: int) -> list[Claimed]:
    """Take up to `slots` due runs of these types, longest due first. None when the worker's lease has run out.

    Each becomes running and its attempt rises by one: the number by which everything the worker writes is fenced.
    """
    rows = await conn.fetch(queries.claim.sql, worker_id, job_types, slots)
    return [Claimed(*row) for row in rows]
