"""A sync leaves in the database what is true at RevenueCat, with no more calls than that takes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from integrations.revenuecat.conftest import HASTE, SCALE, Build, Town
from tawny import Run, builtin
from tawny.builtin import offered
from tawny.config import Settings
from tawny.integrations.revenuecat import SYNC
from tawny.testing.revenuecat import FakeRevenueCat, Fault, Latency, Mix

pytestmark = pytest.mark.slow


def named(fake: FakeRevenueCat) -> list[str]:
    """The customers who are somebody."""
    return [id_ for id_ in fake.customer_ids() if not fake.truth(id_).anonymous]


def counts(result: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: result[name] for name in names}


async def test_everybody_is_as_they_are_at_revenuecat(town: Town) -> None:
    ended = await town.sync()
    assert ended.status == "completed", ended.error
    assert [row["app_user_id"] for row in await town.table()] == sorted(named(town.fake))
    for id_ in named(town.fake):
        truth, row = town.fake.truth(id_), await town.row(id_)
        assert row["revenue_cents"] == truth.revenue_usd_cents
        assert tuple(row["entitlements"]) == truth.entitlements
        assert row["active"] == (truth.gives_access or bool(truth.entitlements))
        assert row["attributes"] == {name: value for name, value in truth.attributes.items() if value is not None}
        assert row["properties"]["rc_subscriber"] == ("true" if row["active"] else "false")


async def test_the_result_and_the_message_add_up(town: Town) -> None:
    ended = await town.sync()
    synced = len(named(town.fake))
    anonymous = len(town.fake.customer_ids()) - synced
    expected = {"synced": synced, "total": synced, "skipped": 0, "not_found": 0, "errors": 0, "unchanged": 0, "resumed": False}
    assert counts(ended.result, *expected) == expected
    assert ended.result["skipped_anonymous"] == anonymous
    assert ended.result["active"] + ended.result["inactive"] == synced
    assert ended.result["requests"] == town.fake.counters.total
    assert ended.progress == {"processed": synced, "total": synced, "message": f"Synced {synced} users, 0 skipped"}


async def test_a_full_sync_takes_three_calls_a_user_and_one_a_page(build: Build) -> None:
    town = await build(customers=120, mix=Mix(exhibits=False))
    await town.sync()
    asked = town.fake.counters.requests
    users = len(named(town.fake))
    assert (asked["customer"], asked["customers"], asked["projects"]) == (users, 2, 1)
    assert asked["entitlements"] == asked["products"] == 1
    # More pages than one only where somebody has more than a page holds.
    assert (asked.total() - 5) / users < 3.05


async def test_who_has_not_changed_is_not_asked_for_again(build: Build) -> None:
    town = await build(customers=40)
    first = await town.sync()
    before = await town.table()
    town.fake.counters.reset()
    again = await town.sync()
    assert town.fake.counters.requests == {"projects": 1, "customers": 1}  # the catalog is remembered
    assert again.result["unchanged"] == again.result["synced"] == first.result["synced"]
    assert again.progress["processed"] == again.progress["total"] == first.result["total"]
    assert await town.table() == before


async def test_who_was_seen_again_is_asked_for_again(build: Build) -> None:
    town = await build()
    await town.sync()
    somebody = named(town.fake)[3]
    customer = town.fake.customer(somebody)
    customer.active_entitlements = []
    customer.subscriptions = []
    customer.purchases = []
    town.fake.put(customer)
    town.fake.touch(somebody)
    town.fake.counters.reset()
    again = await town.sync()
    assert town.fake.counters.requests["customer"] == 1
    assert counts(again.result, "active", "inactive") == {"active": 0, "inactive": 1}
    row = await town.row(somebody)
    # Replaced and not merged: nothing is left of what has lapsed.
    assert (row["active"], row["entitlements"], row["status"], row["revenue_cents"]) == (False, [], None, 0)
    assert "rc_entitlements" not in row["properties"]
    assert await town.conn.fetchval("select count(*) from subscriber_entitlements where subscriber_id = $1", row["id"]) == 0


async def test_whose_period_is_over_is_asked_for_again(town: Town) -> None:
    await town.sync()
    assert await town.conn.fetchval("select count(*) from subscribers where due_at > now() + interval '7 days'") == 0
    over = named(town.fake)[:2]
    await town.conn.execute("update subscribers set due_at = now() where app_user_id = any($1)", over)
    town.fake.counters.reset()
    await town.sync()
    assert town.fake.counters.requests["customer"] == len(over)


async def test_full_asks_for_everybody(town: Town) -> None:
    first = await town.sync()
    town.fake.counters.reset()
    again = await town.sync(full=True)
    assert town.fake.counters.requests["customer"] == first.result["synced"] == again.result["synced"]
    assert again.result["unchanged"] == 0


async def test_who_is_new_and_who_is_gone(town: Town) -> None:
    first = await town.sync()
    gone = named(town.fake)[5]
    town.fake.delete(gone)
    town.fake.insert("new one", first=True)
    await town.conn.execute("update subscribers set due_at = 'epoch' where app_user_id = $1", gone)
    second = await town.sync()
    assert counts(second.result, "not_found", "skipped") == {"not_found": 1, "skipped": 1}
    assert second.result["synced"] == first.result["synced"]
    assert second.result["synced"] + second.result["skipped"] == second.result["total"] == second.progress["processed"]
    assert (await town.row("new one"))["active"]
    row = await town.row(gone)
    assert (row["active"], row["properties"], row["entitlements"]) == (False, {}, [])
    third = await town.sync(full=True)  # and is not asked for any more
    assert counts(third.result, "not_found", "total") == {"not_found": 0, "total": first.result["total"]}


async def test_a_subscriber_who_is_deleted_on_the_way_is_not_made_anew(town: Town) -> None:
    town.revenuecat = town.process(manners=replace(HASTE, answer=1.0))
    town.fake.knobs.add(Fault.HANG, "purchases", times=1)
    somebody = named(town.fake)[0]
    async with town.working():
        run_id = await town.trigger()
        await town.requests(20)
        await town.conn.execute("delete from subscribers where app_user_id = $1", somebody)
        town.fake.knobs.rules.clear()
        ended = await town.ended(run_id)
    assert ended.result["synced"] + ended.result["skipped"] == ended.result["total"] == len(named(town.fake)) - 1
    assert somebody not in [row["app_user_id"] for row in await town.table()]


async def test_nobody_at_all(build: Build) -> None:
    town = await build(customers=0)
    ended = await town.sync()
    assert ended.status == "completed"
    assert counts(ended.result, "synced", "total", "skipped") == {"synced": 0, "total": 0, "skipped": 0}
    assert ended.progress["message"] == "Synced 0 users, 0 skipped"
    assert set(town.fake.counters.requests) <= {"projects", "entitlements", "products", "customers"}


async def test_who_was_marked_while_being_asked_for_stays_due(town: Town) -> None:
    somebody = named(town.fake)[0]
    town.fake.knobs.add(Fault.SLOW_BODY, "purchases", customer=somebody)
    town.fake.knobs.slow_body = 0.3 * SCALE
    async with town.working():
        run_id = await town.trigger()
        await town.requests(20)
        await town.conn.execute("update subscribers set due_at = 'epoch', marks = marks + 1 where app_user_id = $1", somebody)
        await town.ended(run_id)
    assert (await town.row(somebody))["synced_at"] is not None
    assert await town.conn.fetchval("select array_agg(app_user_id) from subscribers where due_at = 'epoch'") == [somebody]


async def test_an_alias_has_the_data_and_its_revenue_counts_once(town: Town) -> None:
    canonical = next(id_ for id_ in named(town.fake) if town.fake.truth(id_).revenue_usd)
    customer = town.fake.customer(canonical)
    customer.aliases += ["alias one", "alias two"]
    town.fake.put(customer)
    town.fake.touch(canonical)
    for alias in customer.aliases[-2:]:
        await town.conn.execute(
            "insert into subscribers (id, team_id, project_id, app_user_id, canonical) values ($1, $2, $3, $4, $1)",
            town.rows_of.id_of(alias),
            town.floor.team_id,
            town.project_id,
            alias,
        )
    await town.sync()
    rows = {id_: await town.row(id_) for id_ in (canonical, "alias one", "alias two")}
    assert {id_: row["counted"] for id_, row in rows.items()} == {canonical: True, "alias one": False, "alias two": False}
    assert len({row["revenue_cents"] for row in rows.values()}) == 1
    assert [row["properties"].get("rc_alias_of") for row in rows.values()] == [None, canonical, canonical]

    await town.conn.execute("delete from subscribers where app_user_id = $1", canonical)
    await town.conn.execute("update subscribers set due_at = 'epoch'")
    # It is listed and comes back, so that it counts there again.
    await town.sync()
    assert (await town.row(canonical))["counted"]
    assert not (await town.row("alias one"))["counted"]


async def test_two_projects_with_one_key(town: Town) -> None:
    other = await town.add_project()
    await town.connect(project_id=other)
    async with town.working():
        runs = [await town.trigger(), await town.trigger(other)]
        ended = [await town.ended(run_id) for run_id in runs]
    assert [end.status for end in ended] == ["completed", "completed"]
    assert ended[0].result["synced"] == ended[1].result["synced"] == len(named(town.fake))
    counted = await town.conn.fetch("select count(*) as n from subscribers group by project_id")
    assert [row["n"] for row in counted] == [len(named(town.fake))] * 2


async def test_calls_about_one_customer_come_one_after_the_other(build: Build) -> None:
    town = await build()
    town.fake.knobs.latency = Latency(5 * SCALE)
    await town.sync()
    assert town.fake.counters.max_concurrency_per_customer == 1
    assert 1 < town.fake.counters.max_concurrency <= 8


async def test_the_job_type_is_offered_beside_the_authors(town: Town) -> None:
    found = json.loads(json.dumps(offered(town.floor.app.jobs, town.revenuecat)[SYNC].params.json_schema()))
    assert list(found["properties"]) == ["full"]

    @town.floor.app.job(SYNC)
    async def mine(run: Run) -> dict[str, Any]:
        return {"mine": True}

    assert SYNC not in builtin.jobs_beside(town.floor.app.jobs, Settings())
    assert (await town.sync()).result == {"mine": True}
