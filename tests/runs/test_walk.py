"""Runs that match a filter are counted within bounds, and walked through from the newest to the oldest."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from tawny import runs
from tawny.db.ids import uuid7
from tawny.runs import Filter

STATUSES = ("pending", "running", "completed", "failed", "cancelled")

_FILL = """
insert into job_runs (id, team_id, project_id, job_type, status, triggered_by, created_at, completed_at, worker_id, unique_key)
select
    gen_random_uuid(), $1::uuid, $2::uuid, 'export', s, 'schedule', '2026-01-01'::timestamptz + n / 2 * interval '1 second',
    case when s in ('completed', 'failed', 'cancelled') then now() end, case s when 'running' then $1::uuid end, s || n
from unnest($3::text[]) as s, generate_series(1, 4) as n
"""


@pytest.fixture
async def filled(house):
    """Four runs in each status; of some two were made in the same millisecond."""
    await house.conn.execute(_FILL, house.team_id, house.project_id, STATUSES)
    return house


@pytest.mark.parametrize(("status", "count"), [(None, 20), ("pending", 4), ("failed", 4), ("unended", 8), ("unsuccessful", 8)])
@pytest.mark.parametrize("narrow", [False, True])
async def test_a_walk_comes_by_each_run_that_is_counted_once(filled, status: str | None, count: int, narrow: bool) -> None:
    where = Filter(status=status, job_type="export" if narrow else None, project_id=filled.project_id if narrow else None)
    assert await runs.count_runs(filled.conn, filled.team_id, where=where, at_most=100) == count
    seen: list[UUID] = []
    while batch := await runs.walk(filled.conn, filled.team_id, where=where, limit=3):
        seen += [position.run_id for position in batch]
        where = replace(where, after=batch[-1])
    assert len(seen) == len(set(seen)) == count
    statuses = {(await filled.row(run_id))["status"] for run_id in seen}
    expected = {None: set(STATUSES), "unended": {"pending", "running"}, "unsuccessful": {"failed", "cancelled"}}
    assert statuses == expected.get(status, {status})


async def test_a_count_ends_at_its_bound(filled) -> None:
    assert await runs.count_runs(filled.conn, filled.team_id, where=Filter(), at_most=7) == 7


async def test_neither_sees_another_team(filled) -> None:
    assert await runs.count_runs(filled.conn, uuid7(), where=Filter(), at_most=7) == 0
    assert await runs.walk(filled.conn, uuid7(), where=Filter(), limit=7) == []


async def test_what_is_made_after_a_moment_is_not_until_then(house) -> None:
    before = await house.trigger()
    moment = (await house.row(before))["created_at"]
    assert await runs.this_moment(house.conn) >= moment
    await house.conn.execute(
        "insert into job_runs (id, team_id, job_type, triggered_by, created_at) values ($1, $2, 'export', 'schedule', $3)",
        uuid7(),
        house.team_id,
        moment + timedelta(milliseconds=1),
    )
    found = await runs.walk(house.conn, house.team_id, where=Filter(until=moment), limit=5)
    assert [position.run_id for position in found] == [before]
