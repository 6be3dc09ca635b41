"""Look at runs: one by id, or a team's, newest first; count them, or walk through them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import count, product
from typing import Any, Final, Literal, get_args
from uuid import UUID

from tawny.access import LIST_RUNS, VIEW_RUN, Actor
from tawny.db.pool import Connection
from tawny.errors import NotFound
from tawny.runs.run import OUTCOMES, STATUSES, Status
from tawny.runs.statements import queries

SEARCHED: Final = 10_000
"""How many runs one search looks at."""
COUNTED: Final = 1_000
"""Where the count of a status stops."""

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


StatusGroup = Literal["unended", "unsuccessful"]
"""Pending or running; failed or cancelled."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which of a team's runs to list. `since` and `until` are inclusive; a `fingerprint` is of failed runs of one job type."""

    job_type: str | None = None
    status: Status | StatusGroup | None = None
    project_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: Position | None = None
    fingerprint: str | None = None

    @property
    def contradicts_itself(self) -> bool:
        """Whether a fingerprint is asked for among runs that cannot have it: nothing matches then."""
        if self.fingerprint is None:
            return False
        of_type = self.job_type in (None, self.fingerprint.partition(":")[0])
        return not of_type or self.status not in (None, "failed", "unsuccessful")


@dataclass(frozen=True, slots=True)
class Page:
    """The public JSON of some runs, and the cursor of the last of them when more follow.

    `stopped`: a search has looked at as many runs as it may before it found a whole page; the cursor goes on from there.
    """

    runs: list[str]
    cursor: str | None
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Count:
    """How many there are; at least so many when `capped`, because counting stopped there."""

    count: int
    capped: bool


async def list_runs(conn: Connection, actor: Actor, team_id: UUID, *, where: Filter, limit: int) -> Page:
    """List a team's runs, newest first (`created_at`, then `id`). System runs never appear."""
    actor.require(team_id, LIST_RUNS)
    rows = await _fetch(conn, "page", team_id, where, limit + 1)
    return _page(rows, limit)


def _page(rows: list[Any], limit: int) -> Page:
    """The first so many of these rows. One more than that says that others follow."""
    page = rows[:limit]
    return Page([row["run"] for row in page], page[-1]["cursor"] if len(rows) > limit else None)


async def list_system_runs(
    conn: Connection, actor: Actor, *, limit: int, job_type: str | None = None, after: Position | None = None
) -> Page:
    """List system runs, newest first. Only the operator may: see `Actor.require_operator`."""
    actor.require_operator()
    until, last_id = (after.created_at, after.run_id) if after else (_END, _LAST_ID)
    bounds: dict[str, Any] = {"until": until, "last_id": last_id, "at_most": limit + 1}
    if job_type is None:
        rows = await queries.system_runs(conn, **bounds)
    else:
        rows = await queries.system_runs_of_type(conn, job_type=job_type, **bounds)
    return _page(rows, limit)


async def search_runs(conn: Connection, actor: Actor, team_id: UUID, text: str, *, where: Filter, limit: int) -> Page:
    """List as `list_runs` does, but only runs whose params, as JSON, have this text in them, in any case.

    No index can find it, so at most the newest 10,000 runs that match the filter are looked at.
    """
    actor.require(team_id, LIST_RUNS)
    *found, end = await _fetch(conn, "search", team_id, where, SEARCHED, text, limit + 1) or [None]
    page = found[:limit]
    if len(found) > limit:
        return Page([row["run"] for row in page], page[-1]["cursor"])
    stopped = end is not None and end["looked_at"] == SEARCHED
    return Page([row["run"] for row in page], end["cursor"] if stopped else None, stopped)


async def count_by_status(conn: Connection, actor: Actor, team_id: UUID, *, where: Filter) -> dict[Status, Count]:
    """Count the team's runs in each status, up to 1,000: of pending and running ones together, since they share an index."""
    actor.require(team_id, LIST_RUNS)
    counted = {row["status"]: row["runs"] for row in await _fetch(conn, "by_status", team_id, where, COUNTED + 1)}
    active = counted.get("pending", 0) + counted.get("running", 0)
    return {
        status: Count(min(runs, COUNTED), (runs if status in OUTCOMES else active) > COUNTED)
        for status in STATUSES
        for runs in (counted.get(status, 0),)
    }


async def this_moment(conn: Connection) -> datetime:
    """Now, by the clock that dates runs and as exact as that does."""
    moment: datetime = await queries.this_moment(conn)
    return moment


async def count_runs(conn: Connection, team_id: UUID, *, where: Filter, at_most: int) -> int:
    """Count a team's runs, up to `at_most` of them."""
    (row,) = await _fetch(conn, "count", team_id, where, at_most)
    return int(row["runs"])


async def walk(conn: Connection, team_id: UUID, *, where: Filter, limit: int) -> list[Position]:
    """The next of a team's runs, newest first. With the last of them as `where.after`, the walk goes on."""
    return [Position(*row) for row in await _fetch(conn, "walk", team_id, where, limit)]


async def _fetch(conn: Connection, shape: Shape, team_id: UUID, where: Filter, limit: int, *more: object) -> list[Any]:
    values = _values(where)
    sql = list_statement(values[0] is not None, values[1] is not None, _kind(where), shape)
    given = [value for value in values if value is not None]
    at_most = 0 if where.contradicts_itself else limit
    rows: list[Any] = await conn.fetch(sql, team_id, *_upper_bound(where), where.since or _BEGINNING, at_most, *more, *given)
    return rows


def _kind(where: Filter) -> StatusKind:
    return "fingerprint" if where.fingerprint else kind_of_status(where.status)


def _values(where: Filter) -> list[Any]:
    """What the filters are compared with: a project, a job type, and a status, or a fingerprint, which says the two before it."""
    if where.fingerprint:
        return [where.project_id, None, where.fingerprint]
    return [where.project_id, where.job_type, None if where.status in _GROUPS else where.status]


def _upper_bound(where: Filter) -> tuple[datetime, UUID]:
    """The position that every listed run lies before: the nearer of `until` and the cursor."""
    until = (where.until or _END, _LAST_ID)
    return min(until, (where.after.created_at, where.after.run_id)) if where.after else until


# The list's statement is put together from the constant pieces below; `tests/laws` prepares every combination and looks at its
# plan. Each branch reads one index backwards from the upper bound. Without a status, the branches of all outcomes are merged in
# order, so that indexes which begin with an outcome also serve lists that name none.

_BRANCH = (
    "(select {columns}r.created_at, r.id from job_runs as r "
    "where r.team_id = $1 and (r.created_at, r.id) < ($2, $3) and r.created_at >= $4{conditions} "
    "order by r.created_at desc, r.id desc limit $5)"
)
_MERGED = {
    "page": "select run, cursor from ({branches}) as r order by created_at desc, id desc limit $5",
    "walk": "select created_at, id from ({branches}) as r order by created_at desc, id desc limit $5",
    "count": "select count(*) as runs from (select from ({branches}) as r limit $5) as counted",
    "by_status": "select status, count(*) as runs from ({branches}) as r group by status",
    # $6: what is looked for. $7: how many are wanted. The last row says where the search has ended.
    "search": (
        "with looked_at as materialized (select * from ({branches}) as r order by created_at desc, id desc limit $5), "
        "found as (select id from looked_at where found order by created_at desc, id desc limit $7) "
        "select run, cursor, looked_at from ("
        "select run_json(r) as run, ms(r.created_at) || '|' || r.id as cursor, null::bigint as looked_at, r.created_at, r.id "
        "from job_runs as r where r.team_id = $1 and r.id in (select id from found) "
        "union all (select null, ms(created_at) || '|' || id, (select count(*) from looked_at), '-infinity', id "
        "from looked_at order by created_at, id limit 1)) as answer order by created_at desc, id desc"
    ),
}
_COLUMNS = {
    "page": "run_json(r) as run, ms(r.created_at) || '|' || r.id as cursor, ",
    "walk": "",
    "count": "",
    "by_status": "r.status, ",
    "search": "position(lower($6::text) in lower(r.params::text)) > 0 as found, ",
}

Shape = Literal["page", "walk", "count", "by_status", "search"]
"""What a statement answers: JSON, positions, how many, how many in each status, JSON of the runs that a text was found in."""

StatusKind = str | None
"""None: any status · "active": pending, or running · "outcome": a terminal one · "fingerprint": failed so · a StatusGroup."""

_GROUPS: Final = get_args(StatusGroup)


def kind_of_status(status: Status | StatusGroup | None) -> StatusKind:
    if status is None or status in _GROUPS:
        return status
    return "outcome" if status in OUTCOMES else "active"


@cache
def list_statement(by_project: bool, by_type: bool, status: StatusKind, shape: Shape = "page") -> str:
    """The list's SQL for one combination of filters. Parameters: team, upper bound (2), since, limit, a search's, filters."""
    places = count(8 if shape == "search" else 6)
    filters = "".join(_filters(by_project, by_type, places))
    conditions = [filters + state for state in _states(by_project or by_type or shape == "by_status", status, places)]
    branches = (_BRANCH.format(columns=_COLUMNS[shape], conditions=c) for c in conditions)
    return _MERGED[shape].format(branches=" union all ".join(branches))


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
    if status == "fingerprint":
        return [f" and r.fingerprint = ${next(places)}"]
    if status == "unended":
        return [" and r.outcome is null"]
    if status == "unsuccessful":
        return [" and r.outcome = 'failed'", " and r.outcome = 'cancelled'"]
    if not filtered:
        return [""]  # all runs of a team: an index of its own, without an outcome
    return [" and r.outcome is null", *(f" and r.outcome = '{outcome}'" for outcome in OUTCOMES)]


def all_list_statements() -> dict[tuple[bool, bool, StatusKind, Shape], str]:
    """Every combination there is."""
    kinds: tuple[StatusKind, ...] = (None, "active", "outcome", *_GROUPS)
    shapes: tuple[Shape, ...] = get_args(Shape)
    combinations = product((False, True), (False, True), kinds, shapes)
    of_fingerprint = product((False, True), (False,), ("fingerprint",), shapes)
    return {combination: list_statement(*combination) for combination in (*combinations, *of_fingerprint)}
