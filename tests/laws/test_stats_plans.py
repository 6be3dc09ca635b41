"""What stats and metrics cost does not grow with what is stored."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import pytest

from tawny.db.pool import Connection, connect
from tawny.history.error_groups_sql import all_error_groups_statements
from tawny.history.statements import queries
from tawny.history.stats_sql import all_stats_statements

pytestmark = pytest.mark.walk

RUNS = 100_000
CAP, RECENT, OF_AN_HOUR = 1_000, 100, 500
# Of each of at most three types: three counts of 1,000 index entries, as many rows of active runs, and 2 × 100 recent ones.
MOST_BUFFERS = 1_500
TEAM, PROJECT = UUID(int=1), UUID(int=7)
TYPES = ["job_1", "rare", "unknown"]

_FILL = """
insert into job_runs
    (id, team_id, project_id, job_type, status, triggered_by, unique_key, created_at, started_at, completed_at, error)
select
    gen_random_uuid(), $1::uuid, case when i % 20 = 7 then $2::uuid else '00000000-0000-0000-0000-000000000009'::uuid end,
    case when i % 997 = 0 then 'rare' else 'job_' || i % 3 end,
    case when i % 4 = 1 then 'pending' when i % 50 = 3 then 'failed' when i % 70 = 5 then 'cancelled' else 'completed' end,
    'schedule', i::text, now() - i * interval '0.1 s', case when i % 4 <> 1 then now() end, case when i % 4 <> 1 then now() end,
    case when i % 50 = 3 and i % 4 <> 1 then 'no ' || i || repeat(' and on', i % 7) end
from generate_series(1, $3) as i
"""


@pytest.fixture(scope="module")
async def filled(database_url: str) -> AsyncIterator[Connection]:
    conn = await connect(database_url, timeout=None)
    await conn.execute("delete from run_events; delete from job_runs")
    await conn.execute(_FILL, TEAM, PROJECT, RUNS)
    await conn.execute("vacuum analyze job_runs")
    yield conn
    await conn.execute("delete from job_runs")
    await conn.execute("vacuum job_runs")
    await conn.close()


def values(name: str) -> list[object]:
    head: list[object] = [TEAM, OF_AN_HOUR] if name.startswith("hours") else [TEAM, CAP + 1, RECENT]
    types: list[object] = [TYPES] if name.startswith("types") else []
    return [*head, *types, *[PROJECT] * ("project=True" in name), *["job_1"] * ("type=True" in name)]


@pytest.mark.parametrize(("name", "statement"), [pytest.param(*s, id=s[0]) for s in all_stats_statements().items()])
async def test_what_is_read_is_bounded(filled: Connection, name: str, statement: str) -> None:
    await assert_bounded(filled, statement, *values(name))


@pytest.mark.parametrize(("name", "statement"), [pytest.param(*s, id=s[0]) for s in all_error_groups_statements().items()])
async def test_what_errors_are_grouped_from_is_bounded(filled: Connection, name: str, statement: str) -> None:
    filters = [*[PROJECT] * ("project=True" in name), *["job_1"] * ("type=True" in name)]
    await assert_bounded(filled, statement, TEAM, datetime(1, 1, 1, tzinfo=UTC), CAP, 100, *filters)


async def test_what_metrics_read_of_the_queues_is_bounded(filled: Connection) -> None:
    given = {"job_types": TYPES, "most": CAP}
    await assert_bounded(filled, queries.queues.sql, *[given[name] for name in queries.queues.parameters])


async def test_what_the_workers_hold_of_a_team_is_looked_for_among_so_many_runs(filled: Connection) -> None:
    given = {"team_id": TEAM, "job_types": TYPES, "most": CAP, "shown": 20, "at_once": 200}
    await assert_bounded(filled, queries.workers.sql, *[given[name] for name in queries.workers.parameters])


async def assert_bounded(conn: Connection, statement: str, *parameters: object) -> None:
    plan = await conn.fetchval(f"explain (analyze, buffers, format json) {statement}", *parameters)
    (root,) = json.loads(plan)
    buffers = root["Plan"]["Shared Hit Blocks"] + root["Plan"]["Shared Read Blocks"]
    assert buffers <= MOST_BUFFERS, json.dumps(root, indent=1)
    read_whole = re.findall(r'"Seq Scan",.*?"Relation Name": "(\w+)"', plan, re.DOTALL)
    assert set(read_whole) <= {"workers"}  # which is tiny
