"""A sync that is stopped, wherever it is, has done what it says it did; and one that is taken up again does the rest."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from time import monotonic
from uuid import UUID

import pytest
from tests.waiting import somebody_waits, until

from integrations.revenuecat.conftest import HASTE, SCALE, Build, Ended, Town
from integrations.revenuecat.test_sync import counts, named
from tawny import runs
from tawny.db.pool import connect
from tawny.integrations.revenuecat.sync import AHEAD
from tawny.testing.revenuecat import Fault, Key, Latency, Mix

pytestmark = pytest.mark.slow


async def cancelled(town: Town, run_id: UUID) -> Ended:
    """Cancel it; it stops within a second."""
    await runs.cancel(town.conn, town.owner, run_id)
    await town.conn.execute("select pg_notify('tawny', '')")
    since = monotonic()
    ended = await town.ended(run_id)
    assert monotonic() - since < 2.5, "a second of the worker's own, and one to hear of it"
    assert ended.status == "cancelled"
    assert ended.result["cancelled_at"]
    written = await town.conn.fetchval("select count(*) from subscribers where synced_at is not null")
    assert ended.result["active"] + ended.result["inactive"] == written
    return ended


async def test_cancelled_while_it_waits_for_an_answer(town: Town) -> None:
    town.revenuecat = town.process(manners=replace(HASTE, answer=60))
    town.fake.knobs.add(Fault.HANG, "purchases")
    async with town.working():
        run_id = await town.trigger()
        await town.requests(10)
        assert (await cancelled(town, run_id)).result["synced"] == 0


async def test_cancelled_while_it_waits_for_a_busy_service(town: Town) -> None:
    town.revenuecat = town.process(manners=replace(HASTE, busy=60))
    town.fake.knobs.retry_after = "missing"
    town.fake.knobs.add(Fault.RATE_LIMITED, "purchases")
    town.fake.knobs.retry_after = "missing"

    async def limited() -> bool:
        return town.fake.counters.rate_limited > 0

    async with town.working():
        run_id = await town.trigger()
        await until(limited, "a call that is refused")
        await cancelled(town, run_id)


async def test_cancelled_while_it_waits_for_its_turn(town: Town) -> None:
    town.revenuecat = town.process(rate=60)
    async with town.working():
        run_id = await town.trigger()
        await town.requests(2)
        await cancelled(town, run_id)


async def test_cancelled_while_it_writes(town: Town, database_url: str) -> None:
    await town.sync()
    await town.conn.execute("update subscribers set synced_at = null")
    blocker = await connect(database_url)
    try:
        async with town.working(), blocker.transaction():
            await blocker.execute("select from subscribers for update")
            run_id = await town.trigger(full=True)
            await somebody_waits(town.conn)
            await cancelled(town, run_id)
    finally:
        await blocker.close()


async def test_one_who_takes_long_holds_up_nobody_until_forty_are_ahead(build: Build) -> None:
    town = await build(customers=80, mix=Mix(anonymous=0.0, exhibits=False))
    town.revenuecat = town.process(manners=replace(HASTE, answer=60))
    first = min(named(town.fake), key=town.rows_of.id_of)
    town.fake.knobs.add(Fault.HANG, "purchases", customer=first)

    async def all_others_asked_for() -> bool:
        return town.fake.counters.statuses[200] >= 4 + 39 * 3 + 2

    async with town.working():
        run_id = await town.trigger()
        await until(all_others_asked_for, "all that may be asked for")
        assert (await cancelled(town, run_id)).result["synced"] == 0
    assert town.fake.counters.requests["customer"] == AHEAD == 40


async def test_a_worker_that_stops_leaves_the_rest_to_the_next(build: Build) -> None:
    town = await build(customers=150)
    unbroken = (await town.sync(), await town.table())
    await town.conn.execute("delete from subscribers")
    town.fake.counters.reset()

    async with town.working() as worker:
        run_id = await town.trigger()
        await town.requests(250)
        worker.hurry()
    before = town.fake.counters.requests["customer"]
    assert 0 < await town.conn.fetchval("select count(*) from subscribers where synced_at is not null") < len(named(town.fake))
    async with town.working():
        ended = await town.ended(run_id)
    assert ended.status == "completed"
    assert ended.result["resumed"]
    assert await town.table() == unbroken[1]
    same = ("synced", "total", "skipped", "active", "inactive", "unchanged", "skipped_anonymous")
    assert counts(ended.result, *same) == counts(unbroken[0].result, *same)
    assert 0 < before < town.fake.counters.requests["customer"] <= len(named(town.fake)) + 48


async def test_another_key_begins_anew(build: Build) -> None:
    town = await build(customers=150)
    async with town.working() as worker:
        run_id = await town.trigger()
        await town.requests(250)
        worker.hurry()
    await town.change(config={"api_key": town.fake.add_key(Key("sk_the_next_key_of_this_project")).secret})
    async with town.working():
        ended = await town.ended(run_id)
    assert (ended.status, ended.result["resumed"]) == ("completed", False)
    assert ended.result["synced"] == len(named(town.fake))


async def test_a_run_keeps_the_key_with_which_it_began(town: Town) -> None:
    town.fake.knobs.latency = Latency(2 * SCALE)
    async with town.working():
        run_id = await town.trigger()
        await town.requests(10)
        await town.change(config={"api_key": "sk_a_key_that_is_not_known_there"})
        ended = await town.ended(run_id)
    assert ended.status == "completed"
    assert (await town.sync()).status == "failed"


async def test_the_list_goes_on_at_its_page(build: Build) -> None:
    town = await build(customers=60)
    town.fake.knobs.page_cap = 10
    town.fake.knobs.add(Fault.HANG, "customers", after=3, times=1)
    town.revenuecat = town.process(manners=replace(HASTE, answer=60))
    async with town.working() as worker:
        run_id = await town.trigger()
        await town.requests(5)
        worker.hurry()
    town.fake.counters.reset()
    async with town.working():
        ended = await town.ended(run_id)
    assert town.fake.counters.requests["customers"] == 3
    assert counts(ended.result, "total", "skipped_anonymous") == {
        "total": len(named(town.fake)),
        "skipped_anonymous": 60 - len(named(town.fake)),
    }


@pytest.mark.parametrize("clock", [-3600.0, 3600.0])
async def test_a_clock_that_jumps_changes_nothing(town: Town, monkeypatch: pytest.MonkeyPatch, clock: float) -> None:
    import time

    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + clock)
    await asyncio.sleep(0)
    ended = await town.sync()
    assert ended.result["synced"] == len(named(town.fake))
