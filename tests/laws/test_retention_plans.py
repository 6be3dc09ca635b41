"""What a batch of the server's clean-ups reads is bounded, however much is stored that stays."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from tawny.builtin.statements import queries
from tawny.db.pool import Connection, connect
from tawny.db.queries import Query

RUNS, OLD, BATCH = 50_000, 400, 100
FIRST = UUID(int=0)
# For each row of a batch: its way down three or four indexes, the row, and the index entries that are marked.
MOST_BUFFERS = BATCH * 60

_FILL = """
insert into job_runs (id, team_id, project_id, job_type, status, triggered_by, created_at, completed_at)
select
    (left(first_id_at(made)::text, 13) || right(gen_random_uuid()::text, 23))::uuid, $1, $2, 'job', 'completed', 'schedule',
    made, made
from generate_series(1, $3) as i,
    lateral (select now() - case when i <= $4 then interval '100 d' else interval '80 d' end + i * interval '1 s' as made) as t
"""
_EVENTS = """
insert into run_events (run_id, seq, team_id, kind, attempt)
select id, n, team_id, 'triggered', 0 from job_runs, generate_series(1, 3) as n
where n = 1 or id < first_id_at(now() - interval '90 d')
"""
_LINES = """
insert into run_logs (run_id, seq, team_id, attempt, level, message, logged_at)
select id, 1, team_id, 1, 20, 'line', completed_at from job_runs
"""


@pytest.fixture(scope="module")
async def filled(database_url: str) -> AsyncIterator[Connection]:
    conn = await connect(database_url, timeout=None)
    await conn.execute("delete from run_logs; delete from run_events; delete from job_runs")
    await conn.execute(_FILL, UUID(int=1), UUID(int=2), RUNS, OLD)
    await conn.execute(_EVENTS)
    await conn.execute(_LINES)
    await conn.execute("vacuum analyze job_runs, run_events, run_logs")
    yield conn
    await conn.execute("delete from run_logs; delete from run_events; delete from job_runs")
    await conn.execute("vacuum job_runs, run_events, run_logs")
    await conn.close()


RUNS_OF_A_PROJECT = {"team_id": UUID(int=1), "project_id": UUID(int=2), "at_most": BATCH, "lines_at_most": 5_000}
BATCHES = {
    "old runs": (queries.delete_old_runs, {"days": 90, "after": FIRST, "at_most": BATCH, "lines_at_most": 5_000}),
    "old lines": (queries.delete_old_lines, {"days": 90, "after_run": FIRST, "after_seq": 0, "at_most": BATCH}),
    "a project's runs": (queries.delete_runs_of_project, RUNS_OF_A_PROJECT),
}


@pytest.mark.parametrize("name", BATCHES)
async def test_a_batch_reads_what_it_deletes(filled: Connection, name: str) -> None:
    query, values = BATCHES[name]
    assert await _buffers(filled, query, values) <= MOST_BUFFERS


async def test_behind_the_last_old_run_there_is_next_to_nothing_to_read(filled: Connection) -> None:
    last = await filled.fetchval(
        "select id from job_runs where id < first_id_at(now() - interval '90 d') order by id desc limit 1"
    )
    values = {"days": 90, "after": last, "at_most": BATCH, "lines_at_most": 5_000}
    assert await _buffers(filled, queries.delete_old_runs, values) <= 20


async def _buffers(conn: Connection, query: Query, values: dict[str, object]) -> int:
    transaction = conn.transaction()
    await transaction.start()
    given = [values[name] for name in query.parameters]
    plan = await conn.fetchval(f"explain (analyze, buffers, format json) {query.sql}", *given)
    await transaction.rollback()
    (root,) = json.loads(plan)
    assert "Seq Scan" not in plan, plan
    buffers: int = root["Plan"]["Shared Hit Blocks"] + root["Plan"]["Shared Read Blocks"]
    return buffers
