"""Every list keeps its index: what one page reads does not grow with what is stored."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from hashlib import md5
from uuid import UUID

import pytest

from tawny.db.pool import Connection, connect
from tawny.runs.find import all_list_statements

RUNS = 100_000
LIMIT = 50
# A page of 51 rows in a handful of branches: their index pages and one heap page a row, with room for a merge's losers.
MOST_BUFFERS = 300

TEAM = UUID(int=1)
RARE_PROJECT = UUID(int=7)  # one run in a thousand, all of them old
FINGERPRINT = "job_1:" + md5(b"no #").hexdigest()[:16]
END = (datetime(9999, 12, 31, tzinfo=UTC), UUID(int=2**128 - 1))
DEEP = (datetime(2026, 1, 1, 6, tzinfo=UTC), UUID(int=0))

_FILL = """
insert into job_runs (id, team_id, project_id, job_type, status, triggered_by, params, created_at, completed_at, error)
select
    gen_random_uuid(), case when i % 10 = 0 then '00000000-0000-0000-0000-000000000002'::uuid else $1::uuid end,
    case when i % 1000 = 7 then $2::uuid else ('00000000-0000-0000-0000-0000000001' || lpad((i % 20)::text, 2, '0'))::uuid end,
    case when i % 997 = 0 then 'rare' else 'job_' || i % 3 end,
    case when i % 500 = 3 then 'failed' when i % 700 = 5 then 'cancelled' else 'completed' end,
    'schedule', '{"month": "2026-01"}',
    '2026-01-01'::timestamptz + i * interval '1 second', '2026-02-01', case when i % 500 = 3 then 'no ' || i end
from generate_series(1, $3) as i
"""


@pytest.fixture(scope="module")
async def filled(database_url: str) -> AsyncIterator[Connection]:
    conn = await connect(database_url, timeout=None)
    await conn.execute("delete from run_events; delete from job_runs")
    await conn.execute(_FILL, TEAM, RARE_PROJECT, RUNS)
    await conn.execute("vacuum analyze job_runs")
    yield conn
    await conn.execute("delete from job_runs")
    await conn.execute("vacuum job_runs")
    await conn.close()


@pytest.mark.parametrize("bound", [END, DEEP], ids=["first page", "deep page"])
@pytest.mark.parametrize("job_type", ["job_1", "rare"])
async def test_a_page_reads_a_bounded_number_of_buffers(filled: Connection, bound: tuple[datetime, UUID], job_type: str) -> None:
    for (by_project, by_type, kind, shape), statement in all_list_statements().items():
        values: list[object] = ["2026-01", LIMIT + 1] if shape == "search" else []
        values += [RARE_PROJECT] * by_project + [job_type] * by_type
        values += {"active": ["pending"], "outcome": ["failed"], "fingerprint": [FINGERPRINT]}.get(kind or "", [])
        since = datetime(2026, 1, 1, tzinfo=UTC)
        explain = f"explain (analyze, buffers, format json) {statement}"
        plan = await filled.fetchval(explain, TEAM, *bound, since, LIMIT + 1, *values)
        (root,) = json.loads(plan)
        buffers = root["Plan"]["Shared Hit Blocks"] + root["Plan"]["Shared Read Blocks"]
        named = f"project {by_project}, type {by_type}, {kind}, {shape}:\n{json.dumps(root, indent=1)}"
        assert buffers <= MOST_BUFFERS, named
        assert "Seq Scan" not in plan, named
