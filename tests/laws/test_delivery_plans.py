"""What couriers ask each second keeps its index: it does not grow with what was delivered."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from tests.conftest import EMPTY

from tawny.db.pool import Connection, connect
from tawny.db.queries import Query
from tawny.notifications.statements import queries

ROWS = 20_000
TEAM, HOOK = UUID(int=1), UUID(int=3)

_FILL = f"""
insert into teams (id, name, slug) values ('{TEAM}', 'T', 't');
insert into webhooks (id, team_id, name, format, events, shown_url, secrets)
values ('{HOOK}', '{TEAM}', 'H', 'json', '{{failed}}', 'https://example.com/', '{{}}');
insert into deliveries (id, team_id, channel, webhook_id, event, status, ended_at, due_at, created_at)
select gen_random_uuid(), '{TEAM}', 'webhook', '{HOOK}', 'failed', 'delivered', now(), now(), now() - i * interval '1 minute'
from generate_series(1, {ROWS}) as i;
insert into deliveries (id, team_id, channel, webhook_id, event, due_at)
select gen_random_uuid(), '{TEAM}', 'webhook', '{HOOK}', 'failed', now() + interval '1 hour' from generate_series(1, 500);
insert into deliveries (id, channel, address, event)
select gen_random_uuid(), 'mail', 'a@example.com', 'failed' from generate_series(1, 5);
"""


@pytest.fixture(scope="module")
async def filled(database_url: str) -> AsyncIterator[Connection]:
    conn = await connect(database_url)
    await conn.execute(EMPTY)
    await conn.execute(_FILL)
    await conn.execute("vacuum analyze deliveries")
    yield conn
    await conn.execute(EMPTY)
    await conn.close()


async def buffers(conn: Connection, query: Query, **values: str) -> int:
    """How many pages a statement looks at, planned as couriers plan it; what it changes is undone."""
    await conn.execute(f"prepare explained as {query.sql}")
    transaction = conn.transaction()
    await transaction.start()
    try:
        given = ", ".join(values[name] for name in query.parameters)
        explained = await conn.fetchval(f"explain (analyze, buffers, format json) execute explained({given})")
    finally:
        await transaction.rollback()
        await conn.execute("deallocate explained")
    plan: dict[str, Any] = json.loads(explained)[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


@pytest.mark.parametrize("channel", ["mail", "webhook"])
async def test_a_claim_reads_what_is_due_and_no_more(filled: Connection, channel: str) -> None:
    read = await buffers(filled, queries.claim_deliveries, channel=f"'{channel}'", hold="15", busy="'{}'", at_most="16")
    assert read < 150


async def test_a_look_for_notices_reads_next_to_nothing(filled: Connection) -> None:
    assert await buffers(filled, queries.address, at_most="500", alert_email="null") < 20


async def test_a_page_of_deliveries_reads_a_page(filled: Connection) -> None:
    where = {"webhook_id": f"'{HOOK}'", "team_id": f"'{TEAM}'", "before": "'9999-12-31'", "last_id": f"'{UUID(int=2**128 - 1)}'"}
    assert await buffers(filled, queries.list_deliveries, **where, at_most="51") < 200


async def test_what_waits_is_counted_without_what_was_delivered(filled: Connection) -> None:
    assert await buffers(filled, queries.waiting, most="10000") < 600
    assert await buffers(filled, queries.last_refusals, most="1000") < 600


async def test_what_is_old_is_found_by_its_age(filled: Connection) -> None:
    assert await buffers(filled, queries.forget_deliveries, days="30", at_most="100") < 100
