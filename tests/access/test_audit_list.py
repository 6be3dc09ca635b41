"""Reading the audit log: newest first, page by page without loss, by every filter, and of one team only."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import pytest

from tawny.access import Actor, AuditFilter, Role, create_project, create_team, list_audit
from tawny.db.pool import Connection
from tawny.errors import Forbidden

AddUser = Callable[[Role], Awaitable[Actor]]
HOST = Actor.host()
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
ACTORS = [UUID(int=1), UUID(int=2)]
RESOURCES = [UUID(int=11), UUID(int=12), UUID(int=13)]

# Five rows share each millisecond.
_FILL = """
insert into audit_log (team_id, actor_type, actor_id, action, resource_type, resource_id, changes, metadata, created_at)
select
    case when i % 7 = 0 then $2::uuid when i % 11 = 0 then null else $1::uuid end,
    case when i % 5 = 0 then 'system' else 'user' end, case when i % 5 <> 0 then ($3::uuid[])[1 + i % 2] end,
    ('{create,update,delete}'::text[])[1 + i % 3], ('{project,job_run}'::text[])[1 + i / 2 % 2], ($4::uuid[])[1 + i % 3],
    null, null, '2026-01-01'::timestamptz + i / 5 * interval '1 millisecond'
from generate_series(1, 60) as i
"""


@pytest.fixture
async def filled(conn: Connection, team_id: UUID) -> Connection:
    other = await create_team(conn, HOST, name="Other", owner_email="o@example.com")
    await conn.execute("set session_replication_role = replica; delete from audit_log; reset session_replication_role")
    await conn.execute(_FILL, team_id, other.team_id, ACTORS, RESOURCES)
    return conn


async def walk(conn: Connection, team_id: UUID, where: AuditFilter, limit: int) -> AsyncIterator[list[Any]]:
    """The pages of a list, as a client gets them."""
    while True:
        page = await list_audit(conn, HOST, team_id, where=where, limit=limit)
        yield [json.loads(entry) for entry in page.entries]
        if page.cursor is None:
            return
        moment, entry_id = page.cursor.split("|")
        where = replace(where, after=(datetime.fromisoformat(moment), UUID(entry_id)))


async def expected(conn: Connection, team_id: UUID, where: AuditFilter) -> list[str]:
    rows = await conn.fetch("select * from audit_log where team_id = $1 order by created_at desc, id desc", team_id)
    return [
        str(row["id"])
        for row in rows
        if where.resource_type in (None, row["resource_type"])
        and where.resource_id in (None, row["resource_id"])
        and where.actor_id in (None, row["actor_id"])
        and where.action in (None, row["action"])
        and (where.since is None or row["created_at"] >= where.since)
        and (where.until is None or row["created_at"] <= where.until)
    ]


@pytest.mark.parametrize("limit", [1, 2, 5, 7, 100])
async def test_a_walk_comes_by_each_entry_once_though_many_share_a_millisecond(
    filled: Connection, team_id: UUID, limit: int
) -> None:
    pages = [page async for page in walk(filled, team_id, AuditFilter(), limit)]
    assert [entry["id"] for page in pages for entry in page] == await expected(filled, team_id, AuditFilter())
    assert all(len(page) == limit for page in pages[:-1])
    assert 1 <= len(pages[-1]) <= limit, "the last page is not empty"


_CHOICES: dict[str, tuple[Any, ...]] = {
    "resource_type": (None, "project", "team"),
    "resource_id": (None, RESOURCES[0], uuid4()),
    "actor_id": (None, ACTORS[0]),
    "action": (None, "update"),
    "since": (None, BEGIN + timedelta(milliseconds=3)),
    "until": (None, BEGIN + timedelta(milliseconds=8)),
}


async def test_every_combination_of_filters_finds_what_it_says(filled: Connection, team_id: UUID) -> None:
    found = 0
    for choice in product(*_CHOICES.values()):
        where = AuditFilter(**dict(zip(_CHOICES, choice, strict=True)))
        pages = [page async for page in walk(filled, team_id, where, 10)]
        entries = [entry["id"] for page in pages for entry in page]
        assert entries == await expected(filled, team_id, where), where
        found += len(entries)
    assert found > 300


async def test_both_bounds_are_inclusive(filled: Connection, team_id: UUID) -> None:
    moment = BEGIN + timedelta(milliseconds=4)
    page = await list_audit(filled, HOST, team_id, where=AuditFilter(since=moment, until=moment), limit=50)
    assert len(page.entries) == len(await expected(filled, team_id, AuditFilter(since=moment, until=moment))) > 1
    later = moment + timedelta(microseconds=1)
    assert (await list_audit(filled, HOST, team_id, where=AuditFilter(since=later, until=moment), limit=50)).entries == []


async def test_what_is_done_meanwhile_does_not_come_into_a_walk(filled: Connection, team_id: UUID) -> None:
    before = await expected(filled, team_id, AuditFilter())
    seen: list[str] = []
    async for page in walk(filled, team_id, AuditFilter(), 4):
        seen += [entry["id"] for entry in page]
        await create_project(filled, HOST, team_id, name="Web", slug=f"web-{len(seen)}")
    assert seen == before


@pytest.mark.parametrize("where", [AuditFilter(), AuditFilter(actor_id=ACTORS[0]), AuditFilter(resource_id=RESOURCES[0])])
async def test_no_other_team_is_ever_seen(filled: Connection, team_id: UUID, where: AuditFilter) -> None:
    pages = [page async for page in walk(filled, team_id, where, 50)]
    assert {entry["team_id"] for page in pages for entry in page} == {str(team_id)}
    nobody = await list_audit(filled, HOST, uuid4(), where=where, limit=50)
    assert (nobody.entries, nobody.cursor) == ([], None)


async def test_an_entry_is_told_whole(conn: Connection, team_id: UUID, add_user: AddUser) -> None:
    admin = await add_user("admin")
    project = await create_project(conn, admin, team_id, name="Web", slug="web")
    page = await list_audit(conn, admin, team_id, where=AuditFilter(resource_type="project"), limit=1)
    entry = json.loads(page.entries[0])
    moment = await conn.fetchval("select created_at from audit_log where resource_id = $1", project.id)
    assert UUID(entry.pop("id"))
    assert entry == {
        "team_id": str(team_id),
        "actor_type": "user",
        "actor_id": str(admin.id),
        "action": "create",
        "resource_type": "project",
        "resource_id": str(project.id),
        "changes": None,
        "metadata": {"name": "Web", "slug": "web"},
        "timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


async def test_the_log_is_for_admins_and_keys_that_may(conn: Connection, team_id: UUID, add_user: AddUser) -> None:
    key = Actor("api_key", uuid4(), {team_id: "admin"}, frozenset({"audit_logs:read"}))
    for actor in (await add_user("admin"), await add_user("owner"), key, HOST):
        assert (await list_audit(conn, actor, team_id, where=AuditFilter(), limit=5)).entries
    refused_key = Actor("api_key", uuid4(), {team_id: "owner"}, frozenset({"projects:read"}))
    for actor, code in (
        (await add_user("member"), "insufficient_role"),
        (refused_key, "insufficient_permission"),
        (Actor("user", uuid4(), {uuid4(): "owner"}), "not_a_member"),
    ):
        with pytest.raises(Forbidden) as refused:
            await list_audit(conn, actor, team_id, where=AuditFilter(), limit=5)
        assert refused.value.code == code
