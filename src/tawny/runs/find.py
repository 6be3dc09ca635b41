"""Look at runs: one by id, or a team's, newest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import count
from typing import Any, Final
from uuid import UUID

from tawny.access import LIST_RUNS, VIEW_RUN, Actor
from tawny.db.pool import Connection
from tawny.errors import NotFound
from tawny.runs.run import OUTCOMES, Status
from tawny.runs.statements import queries

_BEGINNING: Final = datetime(1, 1, 1, tzinfo=UTC)
_END: Final = datetime(9999, 12, 31, tzinfo=UTC)
_LAST_ID: Final = UUID(int=2**128 - 1)


async def find(conn: Connection, actor: Actor, run_id: UUID) -> str:
    """Return the public JSON of a run; NotFound when there is none for this actor (a system run never is)."""
    run_json = await conn.fetchval(queries.find.sql, run_id, actor.teams_for(VIEW_RUN))
    if run_json is None:
        raise NotFound("Run not found.")
    return str(run_json)


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a list: behind the run with this time and id."""

    created_at: datetime
    run_id: UUID


@dataclass(frozen=True, slots=True)
class Filter:
    """Which of a team's runs to list. `since` and `until` are inclusive."""

    job_type: str | None = None
    status: Status | None = None
    project_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: Position | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """The public JSON of some runs, and the cursor of the last of them when more follow."""

    runs: list[str]
    cursor: str | None


async def list_runs(conn: Connection, actor: Actor, team_id: UUID, *, where: Filter, limit: int) -> Page:
    """List a team's runs, newest first (`created_at`, then `id`). System runs never appear."""
    actor.require(team_id, LIST_RUNS)
    chosen = {"job_type": where.job_type, "project_id": where.project_id, "status": where.status}
    given = {name: value for name, value in chosen.items() if value is not None}
    sql = list_statement("project_id" in given, "job_type" in given, kind_of_status(where.status))
    values = [given[name] for name in ("project_id", "job_type", "status") if name in given]
    rows = await conn.fetch(sql, team_id, *_upper_bound(where), where.since or _BEGINNING, limit + 1, *values)
    page = rows[:limit]
    return Page([row["run"] for row in page], page[-1]["cursor"] if len(rows) > limit else None)


def _upper_bound(where: Filter) -> tuple[datetime, UUID]:
    """The position that every listed run lies before: the nearer of `until` and the cursor."""
    until = (where.until or _END, _LAST_ID)
    return min(until, (where.after.created_at, where.after.run_id)) if where.after else until


# The list's statement is put together from the constant pieces below; `tests/laws` prepares every combination and looks at its
# plan. Each branch reads one index backwards from the upper bound. Without a status, the branches of all outcomes are merged in
# order, so that indexes which begin with an outcome also serve lists that name none.

_BRANCH = (
    "(select run_json(r) as run, ms(r.created_at) || '|' || r.id as cursor, r.created_at, r.id from job_runs as r "
    "where r.team_id = $1 and (r.created_at, r.id) < ($2, $3) and r.created_at >= $4{conditions} "
    "order by r.created_at desc, r.id desc limit $5)"
)
_MERGED = "select run, cursor from ({branches}) as r order by created_at desc, id desc limit $5"

StatusKind = str | None
"""None: any status · "active": pending or running · "outcome": a terminal one."""


def kind_of_status(status: Status | None) -> StatusKind:
    if status is None:
        return None
    return "outcome" if status in OUTCOMES else "active"


@cache
def list_statement(by_project: bool, by_type: bool, status: StatusKind) -> str:
    """The list's SQL for one combination of filters. Parameters: team, upper bound (2), since, limit, then the filters."""
    places = count(6)
    filters = "".join(_filters(by_project, by_type, places))
    conditions = [filters + state for state in _states(by_project or by_type, status, places)]
    return _MERGED.format(branches=" union all ".join(_BRANCH.format(conditions=c) for c in conditions))


def _filters(by_project: bool, by_type: bool, places: Iterator[int]) -> Iterable[str]:
    if by_project:
        yield f" and r.project_id = ${next(places)}"
    if by_type:
        yield f" and r.job_type = ${next(places)}"


def _states(filtered: bool, status: StatusKind, places: Iterator[int]) -> list[str]:
    if status == "outcome":
        return [f" and r.outcome = ${next(places)}"]
    if status == "active":
        return [f" and r.outcome is null and r.status = ${next(places)}"]
    if not filtered:
        return [""]  # all runs of a team: an index of its own, without an outcome
    return [" and r.outcome is null", *(f" and r.outcome = '{outcome}'" for outcome in OUTCOMES)]


def all_list_statements() -> dict[tuple[bool, bool, StatusKind], str]:
    """Every combination there is."""
    kinds: tuple[Any, ...] = (None, "active", "outcome")
    return {(p, t, kind): list_statement(p, t, kind) for p in (False, True) for t in (False, True) for kind in kinds}
