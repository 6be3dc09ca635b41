"""What a team's runs fail of: failed runs that are alike, told together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from tawny.access import LIST_RUNS, Actor
from tawny.db.pool import Connection
from tawny.history.error_groups_sql import error_groups_statement

LOOKED_AT: Final = 10_000
"""Failed runs that are grouped: the newest."""
SHOWN: Final = 100
"""Groups that are told: the largest."""
_BEGINNING: Final = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """Failed runs of one job type whose errors differ in nothing but numbers, ids and addresses.

    `error` is that of the newest; first and last seen are the ends of runs among those that were looked at.
    """

    fingerprint: str
    job_type: str
    runs: int
    first_seen_at: datetime
    last_seen_at: datetime
    newest_run_id: UUID
    error: str | None


@dataclass(frozen=True, slots=True)
class ErrorGroups:
    """The groups, the largest first, and of how many failed runs they are. `capped`: there may be older ones."""

    groups: list[ErrorGroup]
    looked_at: int
    capped: bool
    found: int
    """How many groups there are, of which the first 100 are here."""


async def error_groups(
    conn: Connection,
    actor: Actor,
    team_id: UUID,
    *,
    project_id: UUID | None = None,
    job_type: str | None = None,
    since: datetime | None = None,
) -> ErrorGroups:
    """Group the newest 10,000 failed runs of a team: those made `since` then, of one project or one type if so wanted."""
    actor.require(team_id, LIST_RUNS)
    filters = [value for value in (project_id, job_type) if value is not None]
    statement = error_groups_statement(project_id is not None, job_type is not None)
    rows = await conn.fetch(statement, team_id, since or _BEGINNING, LOOKED_AT, SHOWN, *filters)
    groups = [ErrorGroup(**{name: row[name] for name in ErrorGroup.__slots__}) for row in rows]
    looked_at = rows[0]["looked_at"] if rows else 0
    return ErrorGroups(groups, looked_at, looked_at >= LOOKED_AT, rows[0]["found"] if rows else 0)
