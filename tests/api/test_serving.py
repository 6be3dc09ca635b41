"""What the server does besides answering, and how it begins and ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.pgbouncer import POOLER

from api.world import World, app, serve
from tawny.api.app import create_app
from tawny.config import Settings
from tawny.errors import SettingsError
from tawny.runs import enlist
from waiting import until


@pytest.mark.slow
async def test_a_server_takes_back_the_runs_of_a_dead_worker(world: World) -> None:
    worker_id, claimed = await world.running()
    assert (await world.view(claimed.id)).json()["job_run"]["status"] == "running"
    await world.conn.execute("update workers set leased_until = now() - interval '1 second' where id = $1", worker_id)

    async def pending_again() -> bool:
        run = (await world.view(claimed.id)).json()["job_run"]
        return (run["status"], run["started_at"]) == ("pending", None)

    await until(pending_again, "the run of a dead worker, pending again")
    assert await enlist(world.conn, name="test:2", version="0", lease=60)


async def test_a_server_forgets_answers_that_are_a_day_old(world: World, database_url: str, tmp_path: Path) -> None:
    await world.trigger(key="old")
    await world.conn.execute("update idempotency_keys set created_at = now() - interval '25 hours'")
    await world.trigger(key="new", job_type="import")

    async def left() -> bool:
        return bool(await world.conn.fetchval("select array_agg(key) = '{new}' from idempotency_keys"))

    with serve(database_url, tmp_path):
        await until(left, "only the answer of today")


async def test_a_server_that_stops_has_noted_which_keys_were_used(world: World, database_url: str, tmp_path: Path) -> None:
    async def noted(key: str) -> object:
        return await world.conn.fetchval("select last_used_at from api_keys where last4 = $1", key[-4:])

    first, later = await world.add_key(), await world.add_key()
    with serve(database_url, tmp_path) as other:
        await world.http.get(f"{other.url}/v1/job-types", headers={"authorization": f"Bearer {first}"})
        await until(lambda: noted(first), "the first note, after which the server pauses")
        await world.http.get(f"{other.url}/v1/job-types", headers={"authorization": f"Bearer {later}"})
        assert not await noted(later)
    assert await noted(later)


@pytest.mark.skipif(POOLER, reason="the connections that PostgreSQL sees are PgBouncer's, which keeps them")
async def test_a_server_that_stops_leaves_no_connection(world: World, database_url: str, tmp_path: Path) -> None:
    count = "select count(*) from pg_stat_activity where datname = current_database() and application_name like 'tawny-%'"
    before = await world.conn.fetchval(count)
    with serve(database_url, tmp_path):
        assert await world.conn.fetchval(count) > before
    assert await world.conn.fetchval(count) <= before


def test_a_short_secret_is_refused_before_anything_is_served() -> None:
    with pytest.raises(SettingsError, match="32"):
        create_app(app, settings=Settings(), url="postgresql://nowhere", secret=b"short")
