"""Take due runs for a worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    failures: int = 0
    crashes: int = 0
    log_lines: int = 0
    """Log lines kept so far, of all attempts; their bytes; and how many more there were."""
    log_bytes: int = 0
    logs_dropped: int = 0


async def claim(conn: Connection, worker_id: UUID, *, job_types: Sequence[str], slots: int) -> list[Claimed]:
    """Take up to `slots` due runs of these types, longest due first; none when the worker's lease has run out.

    Each becomes running and its attempt rises by one: the number by which everything the worker writes is fenced.
    """
    rows = await conn.fetch(queries.claim.sql, worker_id, job_types, slots)
    return [Claimed(*row) for row in rows]


async def claim_seated(conn: Connection, worker_id: UUID, *, limits: Mapping[str, int], slots: int) -> list[Claimed]:
    """Take up to `slots` due runs of types that may have only so many running at once, over all workers.

    Exact under any concurrency; needs the places that `set_places` made.
    """
    rows = await conn.fetch(queries.claim_seated.sql, worker_id, list(limits), list(limits.values()), slots)
    return [Claimed(*row) for row in rows]


async def set_places(conn: Connection, limits: Mapping[str, int]) -> None:
    """Make the places of these types, where they are not there yet."""
    await queries.set_places(conn, job_types=list(limits), limits=list(limits.values()))
