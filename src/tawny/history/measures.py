"""The operator's numbers: all teams together, and none of them named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tawny.db.pool import Connection
from tawny.history.statements import queries
from tawny.runs import Outcome

LOOKED_AT: Final = 10_000
"""Active runs of one job type, at most: what waits or runs beyond them is not counted."""


@dataclass(frozen=True, slots=True)
class Total:
    """Runs of a type that ever ended so, and how long their last attempts took in all. `buckets` are those at most so long."""

    job_type: str
    outcome: Outcome
    runs: int
    seconds: float
    buckets: Sequence[int]


@dataclass(frozen=True, slots=True)
class Queue:
    """Runs of a type that are due and wait, or run, now; and for how long the one has been due that waits longest."""

    job_type: str
    waiting: int
    running: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Measures:
    """What `/metrics` shows of the database."""

    bounds: Sequence[float]
    """Seconds: those of the buckets."""
    totals: Sequence[Total]
    queues: Sequence[Queue]
    workers: int
    slowest_pulse: float
    average_pulse: float


async def measure(conn: Connection, job_types: Sequence[str]) -> Measures:
    """Read the totals, the workers and the queues of these types, in four statements whose cost is bounded."""
    bounds = await queries.duration_bounds(conn)
    totals = await queries.totals(conn)
    queues = await queries.queues(conn, job_types=list(job_types), most=LOOKED_AT)
    living = await queries.living_workers(conn)
    return Measures(
        bounds=bounds,
        totals=[Total(**row) for row in totals],
        queues=[Queue(**row) for row in queues],
        workers=living["workers"],
        slowest_pulse=living["slowest"],
        average_pulse=living["average"],
    )
