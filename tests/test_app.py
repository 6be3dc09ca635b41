"""`app.trigger` enqueues in the caller's own transaction: the run and the caller's rows are there together, or not at all."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tawny import Run, Tawny
from tawny.access import Actor, create_project, create_team
from tawny.db.ids import uuid7
from tawny.db.pool import Connection, connect
from tawny.errors import Conflict, InvalidRequest, NotFound
from tawny.jobs import App

app = Tawny()


@app.job("export")
def export(run: Run, since: date = date(2026, 1, 1), count: int = 1) -> None:
    """Never runs here."""


@app.system_job("sweep")
def sweep(run: Run) -> None:
    """Nothing a team can start."""


@dataclass
class Shop:
    """An author's program with a table of its own in Tawny's database, and a team that it triggers runs for."""

    conn: Connection
    team_id: UUID
    user_id: UUID
    project_id: UUID

    async def order(self) -> None:
        """Write a row of the author's own."""
        await self.conn.execute("insert into orders default values")

    async def trigger(self, job_type: str = "export", **changes: Any) -> UUID:
        conn = changes.pop("conn", self.conn)
        return await app.trigger(conn, job_type, **{"team_id": self.team_id, "project_id": self.project_id, **changes})

    async def there(self) -> tuple[int, int]:
        """How many of the author's rows and of Tawny's runs were committed."""
        return await self.conn.fetchval("select count(*) from orders"), await self.conn.fetchval("select count(*) from job_runs")

    async def row(self, run_id: UUID) -> dict[str, Any]:
        row = await self.conn.fetchrow("select *, params::text as sent from job_runs where id = $1", run_id)
        return dict(row) | {"params": json.loads(row["sent"])}


@pytest.fixture
async def shop(conn: Connection) -> AsyncIterator[Shop]:
    team = await create_team(conn, Actor.host(), name="Team", owner_email=f"{uuid7()}@example.com")
    project = await create_project(conn, Actor.host(), team.team_id, name="P", slug="p")
    await conn.execute("create temporary table orders (id serial)")
    yield Shop(conn, team.team_id, team.user_id, project.id)
    await conn.execute("drop table orders")


async def test_a_transaction_that_commits_leaves_the_row_and_the_run(shop: Shop) -> None:
    async with shop.conn.transaction():
        await shop.order()
        run_id = await shop.trigger(params={"count": 5})
    assert await shop.there() == (1, 1)
    row = await shop.row(run_id)
    assert (row["status"], row["triggered_by"], row["notify"]) == ("pending", "manual:host", False)
    assert row["params"] == {"count": 5, "project_id": str(shop.project_id)}
    assert await shop.conn.fetchval("select kind from run_events where run_id = $1", run_id) == "triggered"


async def test_a_transaction_that_rolls_back_leaves_neither(shop: Shop) -> None:
    transaction = shop.conn.transaction()
    await transaction.start()
    await shop.order()
    await shop.trigger()
    await transaction.rollback()
    assert await shop.there() == (0, 0)


async def test_nobody_else_sees_the_run_before_the_commit(shop: Shop, direct_conn: Connection) -> None:
    async with shop.conn.transaction():
        await shop.trigger()
        assert await direct_conn.fetchval("select count(*) from job_runs") == 0
    assert await direct_conn.fetchval("select count(*) from job_runs") == 1


async def test_after_a_conflict_the_transaction_still_commits_the_callers_row(shop: Shop) -> None:
    active = await shop.trigger()
    async with shop.conn.transaction():
        await shop.order()
        with pytest.raises(Conflict) as refused:
            await shop.trigger()
        await shop.order()
    assert refused.value.details == {"existing_run_id": str(active)}
    assert await shop.there() == (2, 1)


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"project_id": uuid7()}, NotFound, "Project not found"),
        ({"team_id": uuid7()}, NotFound, "Project not found"),
        ({"job_type": "nope"}, InvalidRequest, "This server offers: export"),
        ({"job_type": "sweep"}, InvalidRequest, "only the operator"),
        ({"team_id": "nope"}, InvalidRequest, "team_id should be a UUID"),
        ({"project_id": None}, InvalidRequest, "project_id should be a UUID"),
        ({"user_id": 5}, InvalidRequest, "user_id should be a UUID"),
        ({"params": {"count": "many"}}, InvalidRequest, "`count`"),
        ({"params": {"project_id": str(uuid7())}}, InvalidRequest, "differs"),
        ({"params": {"count": object()}}, InvalidRequest, "Unable to serialize"),
        ({"params": {"count": float("nan")}}, InvalidRequest, "JSON cannot hold nan"),
        ({"params": {"since": "x" * 2**20}}, InvalidRequest, "larger than 1 MiB"),
    ],
)
async def test_what_does_not_fit_is_refused_and_the_transaction_goes_on(
    shop: Shop, changes: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    async with shop.conn.transaction():
        await shop.order()
        with pytest.raises(error, match=sentence):
            await shop.trigger(**changes)
    assert await shop.there() == (1, 0)


async def test_the_user_for_whom_it_is_triggered_is_named(shop: Shop) -> None:
    row = await shop.row(await shop.trigger(user_id=str(shop.user_id), notify=True))
    assert (row["triggered_by"], row["notify"]) == (f"manual:user:{shop.user_id}", True)


async def test_ids_may_be_texts(shop: Shop) -> None:
    row = await shop.row(await shop.trigger(team_id=str(shop.team_id), project_id=str(shop.project_id)))
    assert (row["team_id"], row["project_id"]) == (shop.team_id, shop.project_id)


async def test_params_may_hold_what_json_can_write(shop: Shop) -> None:
    assert (await shop.row(await shop.trigger(params={"since": date(2026, 2, 1)})))["params"]["since"] == "2026-02-01"


async def test_a_connection_may_have_a_codec_of_its_own_for_json(shop: Shop, database_url: str) -> None:
    conn = await connect(database_url)
    await conn.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
    assert (await shop.row(await shop.trigger(conn=conn, params={"count": 2})))["params"]["count"] == 2
    await conn.close()


async def test_what_holds_a_connection_may_stand_for_it(shop: Shop) -> None:
    await shop.trigger(conn=SimpleNamespace(connection=shop.conn))
    assert await shop.there() == (0, 1)


async def test_a_connection_of_a_pool_may_be_used(shop: Shop, database_url: str) -> None:
    async with asyncpg.create_pool(database_url, min_size=1) as pool, pool.acquire() as conn, conn.transaction():
        await shop.trigger(conn=conn)
    assert await shop.there() == (0, 1)


def test_the_part_that_knows_no_database_cannot_trigger() -> None:
    assert isinstance(app, App)
    assert not hasattr(App, "trigger")
