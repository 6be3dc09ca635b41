"""How a team's runs are doing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tawny.access import LIST_RUNS, Actor
from tawny.db.pool import Connection
from tawny.history.statements import queries
from tawny.history.stats_sql import hours_statement, summary_statement, types_statement
from tawny.history.summary import Summary, summarise

COUNTED: Final = 10_000
"""Where a count stops. That of one job type stops at a tenth of it, since there are many of them."""
RECENT: Final = 1_000
"""Of how many runs the durations are; of one job type, of a tenth."""
OF_AN_HOUR: Final = 2_000
"""How many of the runs of one hour are looked at, the newest of it."""
TYPES_SHOWN: Final = 100


@dataclass(frozen=True, slots=True)
class Hour:
    """How many of the runs that were triggered in this hour ended how; at least so many when `capped`.

    Of a capped hour the newest were counted together, so that one outcome's share in the others is still that of those.
    """

    at: datetime
    completed: int
    failed: int
    cancelled: int
    capped: bool


@dataclass(frozen=True, slots=True)
class OfType:
    """The runs of one job type."""

    job_type: str
    runs: Summary


@dataclass(frozen=True, slots=True)
class Stats:
    """A team's runs: all, those triggered in each of the last 24 hours, and those of each job type."""

    runs: Summary
    hours: list[Hour]
    job_types: list[OfType]
    workers: int
    """Alive now. They serve every team."""

    @property
    def since(self) -> datetime:
        """The beginning of the first hour: of runs that have ended, only those triggered since then are looked at."""
        return self.hours[0].at


async def stats(
    conn: Connection,
    actor: Actor,
    team_id: UUID,
    *,
    job_types: Sequence[str],
    project_id: UUID | None = None,
    job_type: str | None = None,
) -> Stats:
    """Sum up the team's runs, of one project or one type if so wanted, and of each of the first 100 `job_types`.

    What it costs does not grow with what is stored: counts stop at 10,000 (1,000 for one type, 2,000 for one hour), which they
    then say.
    """
    actor.require(team_id, LIST_RUNS)
    by_project, by_type = project_id is not None, job_type is not None
    project = [project_id] if by_project else []
    filters = [*project, *([job_type] if by_type else [])]
    names = [job_type] if by_type else list(job_types[:TYPES_SHOWN])
    (summed,) = await conn.fetch(summary_statement(by_project, by_type), team_id, COUNTED + 1, RECENT, *filters)
    hours = await conn.fetch(hours_statement(by_project, by_type), team_id, OF_AN_HOUR, *filters)
    types = await conn.fetch(types_statement(by_project), team_id, COUNTED // 10 + 1, RECENT // 10, names, *project)
    living = await queries.living_workers(conn)
    return Stats(
        runs=summarise(dict(summed), COUNTED),
        hours=[Hour(**row) for row in hours],
        job_types=[OfType(row["job_type"], summarise(dict(row), COUNTED // 10)) for row in types],
        workers=living["workers"],
    )
