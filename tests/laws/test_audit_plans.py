"""Every list of the audit log keeps its index: what one page reads does not grow with what is stored."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest

from tawny.access import ACTIONS, RESOURCES, Actor, AuditFilter, list_audit
from tawny.db.pool import Connection, connect

ROWS = 20_000
LIMIT = 50
KINDS = len(ACTIONS) * len(RESOURCES)
# Each kind has its page and one row more at hand for the merge: a heap page for each row, and the way down the index.
MOST_BUFFERS = {"all": KINDS * (LIMIT + 1 + 5), "some": 6 * (LIMIT + 1 + 5), "one": 4 * (LIMIT + 1)}

TEAM = UUID(int=1)
BUSY, RARE = UUID(int=21), UUID(int=22)  # the rare one did one thing in a thousand, all of them long ago
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

_FILL = """
insert into audit_log (team_id, actor_type, actor_id, action, resource_type, resource_id, created_at)
select
    case when i % 10 = 0 then '00000000-0000-0000-0000-000000000002'::uuid else $1::uuid end, 'user',
    case when i % 1000 = 7 and i < $6 / 2 then $3::uuid else $2::uuid end,
    ($4::text[])[1 + i % cardinality($4)], ($5::text[])[1 + i / 3 % cardinality($5)],
    ('00000000-0000-0000-0001-' || lpad((i / 4)::text, 12, '0'))::uuid,
    '2026-01-01'::timestamptz + i * interval '1 second'
from generate_series(1, $6) as i
"""


class Explaining:
    """Explains each statement as the server's connections plan it, once for all values, and finds nothing."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self.plans: list[dict[str, Any]] = []

    async def fetch(self, sql: str, *values: object) -> list[Any]:
        await self._conn.execute(f"prepare explained as {sql}")
        given = ", ".join(map(_literal, values))
        plan = await self._conn.fetchval(f"explain (analyze, buffers, format json) execute explained({given})")
        await self._conn.execute("deallocate explained")
        self.plans += json.loads(plan)
        return []


def _literal(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "'{" + ",".join(map(str, value)) + "}'"
    return f"'{value.isoformat() if isinstance(value, datetime) else value}'"


@pytest.fixture(scope="module")
async def filled(database_url: str) -> AsyncIterator[Connection]:
    conn = await connect(database_url)
    await conn.execute(_EMPTY)
    await conn.execute(_FILL, TEAM, BUSY, RARE, ACTIONS, RESOURCES, ROWS)
    await conn.execute("vacuum analyze audit_log")
    yield conn
    await conn.execute(_EMPTY)
    await conn.execute("vacuum audit_log")
    await conn.close()


_EMPTY = "set session_replication_role = replica; delete from audit_log; reset session_replication_role"
_FILTERS: dict[str, tuple[Any, ...]] = {
    "resource_type": (None, "project"),
    "action": (None, "update"),
    "actor_id": (None, BUSY, RARE),
    "resource_id": (None, UUID("00000000-0000-0000-0001-000000000700")),
    "since": (None, BEGIN + timedelta(hours=1)),
    "until": (None, BEGIN + timedelta(hours=3)),
    "after": (None, (BEGIN + timedelta(hours=2), UUID(int=0))),
}


def bound(where: AuditFilter) -> int:
    if where.resource_id or (where.resource_type and where.action):
        return MOST_BUFFERS["one"]
    return MOST_BUFFERS["some" if where.resource_type else "all"]


@pytest.mark.slow
async def test_a_page_reads_a_bounded_number_of_buffers(filled: Connection) -> None:
    pages = await filled.fetchval("select relpages from pg_class where relname = 'audit_log'")
    for choice in product(*_FILTERS.values()):
        where = AuditFilter(**dict(zip(_FILTERS, choice, strict=True)))
        explaining = Explaining(filled)
        await list_audit(explaining, Actor.host(), TEAM, where=where, limit=LIMIT)
        (root,) = explaining.plans
        read = root["Plan"]["Shared Hit Blocks"] + root["Plan"]["Shared Read Blocks"]
        assert read <= bound(where), f"{where} reads {read} buffers of {pages}: {json.dumps(root, indent=1)}"
        assert "Seq Scan" not in json.dumps(root), where
