"""A beat costs by what is due, not by what exists; and the clock that counts is that of the database."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import EMPTY

import tawny
from tawny.db.pool import Connection, connect
from tawny.schedules.statements import queries

SCHEDULES, JOB_TYPES, DUE = 10_000, 20, 7
# One way down the index for each job type, and what is due: its entry, its row, and the lock on it.
MOST_IDLE = JOB_TYPES * 4
MOST_DUE = MOST_IDLE + DUE * 6

_FILL = """
with team as (insert into teams (id, name, slug) values (gen_random_uuid(), 'T', 'many') returning id),
project as (
    insert into projects (id, team_id, name, slug, color) select gen_random_uuid(), id, 'P', 'many', '#000000' from team
    returning id, team_id
)
insert into schedules (id, team_id, project_id, job_type, cron, timezone, catch_up, next_at, look_at)
select gen_random_uuid(), p.team_id, p.id, 'job_' || i % $2, '0 0 1 1 *', 'UTC', 'last', at, at
from project as p, generate_series(1, $1) as i, lateral (select now() + i * interval '1 minute' as at) as next
"""
_DUE = """
update schedules set next_at = now() - interval '1 minute', look_at = now() - interval '1 minute'
where id in (select id from schedules order by id limit $1)
"""


@pytest.fixture(scope="module")
async def filled(database_url: str) -> AsyncIterator[Connection]:
    conn = await connect(database_url)
    await conn.execute("delete from schedules")
    await conn.execute(_FILL, SCHEDULES, JOB_TYPES)
    await conn.execute("vacuum analyze schedules")
    yield conn
    await conn.execute(EMPTY)
    await conn.execute("vacuum schedules")
    await conn.close()


async def explained(conn: Connection, sql: str, *values: object) -> tuple[dict[str, Any], int]:
    plan = await conn.fetchval(f"explain (analyze, buffers, format json) {sql}", *values)
    (root,) = json.loads(plan)
    return root, root["Plan"]["Shared Hit Blocks"] + root["Plan"]["Shared Read Blocks"]


JOBS = [f"job_{number}" for number in range(JOB_TYPES)]


async def test_a_look_while_nothing_is_due_does_not_grow_with_what_exists(filled: Connection, say: Callable[[str], None]) -> None:
    root, buffers = await explained(filled, queries.seconds_to_next.sql, JOBS)
    say(f"idle beat with {SCHEDULES} schedules of {JOB_TYPES} types: {buffers} buffers, {root['Execution Time']:.2f} ms")
    assert buffers <= MOST_IDLE, json.dumps(root, indent=1)
    assert "Seq Scan" not in json.dumps(root)


async def test_taking_what_is_due_costs_by_what_is_due(filled: Connection) -> None:
    transaction = filled.transaction()
    await transaction.start()
    await filled.execute(_DUE, DUE)
    root, buffers = await explained(filled, queries.take_due.sql, JOBS, 100)
    await transaction.rollback()
    assert root["Plan"]["Actual Rows"] == DUE
    assert buffers <= MOST_DUE, json.dumps(root, indent=1)
    assert "Seq Scan" not in json.dumps(root)


_WALL_CLOCK = re.compile(r"\b(now\(|utcnow|today\(|time\.time|time_ns|from time import (?!monotonic\b))")


def test_nothing_about_schedules_reads_the_clock_of_its_process() -> None:
    source = Path(tawny.__file__).parent
    files = [*(source / "schedules").glob("*.py"), source / "jobs/cron.py", source / "workers/tick.py"]
    assert len(files) > 6
    assert [str(file) for file in files if _WALL_CLOCK.search(file.read_text())] == []
    assert _WALL_CLOCK.search("datetime.now(UTC)")
