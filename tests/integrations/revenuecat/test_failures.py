"""What can go wrong at RevenueCat or on the way, and what a sync makes of it: a row of a table each, over real HTTP."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from tests.waiting import until

from integrations.revenuecat.conftest import HASTE, SCALE, Build, Ended, Town
from integrations.revenuecat.test_sync import counts, named
from tawny import integrations
from tawny.errors import Conflict
from tawny.integrations import Keyring
from tawny.integrations.revenuecat import NOT_CONNECTED
from tawny.testing.revenuecat import ALL_SCOPES, PROJECT, Fault, Key, Latency, Mix

pytestmark = pytest.mark.slow


def whole(ended: Ended, town: Town) -> None:
    """Everybody was synced, and nothing is left to be done."""
    assert ended.status == "completed", ended.error
    assert counts(ended.result, "synced", "skipped", "errors") == {"synced": len(named(town.fake)), "skipped": 0, "errors": 0}


# Before anything is asked


@pytest.mark.parametrize("how", ["never connected", "disabled", "deleted"])
async def test_a_project_that_is_not_connected(build: Build, how: str) -> None:
    town = await build(connected=how != "never connected")
    if how == "disabled":
        await town.change(enabled=False)
    if how == "deleted":
        await integrations.disconnect(town.conn, town.owner, town.project_id, "revenuecat")
    ended = await town.sync()
    assert (ended.status, ended.error) == ("failed", NOT_CONNECTED)
    assert town.fake.counters.total == 0


async def test_a_key_that_cannot_be_decrypted_any_more(town: Town) -> None:
    town.keyring = Keyring([b"x" * 32])
    ended = await town.sync()
    assert ended.status == "failed"
    assert "a key that is not set any more" in (ended.error or "")
    assert town.fake.counters.total == 0


async def test_two_triggers_at_once(town: Town) -> None:
    first = await town.trigger()
    with pytest.raises(Conflict) as refused:
        await town.trigger()
    assert refused.value.details == {"existing_run_id": str(first)}


# The key


async def test_a_key_that_is_wrong(town: Town) -> None:
    town.fake.key.revoke()
    ended = await town.sync()
    assert ended.status == "failed"
    assert ended.error == "RevenueCat does not accept the API key: Invalid API key."
    assert town.fake.counters.total == 1
    assert ended.result["requests"] == 1


async def test_a_key_that_is_revoked_on_the_way(build: Build) -> None:
    town = await build(customers=100)
    town.fake.knobs.latency = Latency(2 * SCALE)
    town.fake.knobs.revoke_after = 200
    ended = await town.sync()
    assert ended.status == "failed"
    assert "does not accept the API key" in (ended.error or "")
    assert town.fake.counters.total <= 201 + 8  # those that were under way, of which the server may have seen fewer at once
    assert 40 <= ended.result["synced"] < 100
    assert ended.result["synced"] == await town.conn.fetchval("select count(*) from subscribers where synced_at is not null")


async def test_the_next_run_goes_on_where_that_one_was(build: Build) -> None:
    town = await build(customers=100)
    town.fake.knobs.revoke_after = 200
    before = await town.sync()
    await town.change(config={"api_key": town.fake.add_key(Key("sk_another_key_of_the_same_project")).secret})
    town.fake.knobs.revoke_after = None
    town.fake.counters.reset()
    after = await town.sync()
    assert after.result["unchanged"] == before.result["synced"]
    assert town.fake.counters.requests["customer"] == after.result["total"] - before.result["synced"]


@pytest.mark.parametrize("missing", sorted(ALL_SCOPES))
async def test_a_key_that_may_not_do_everything(town: Town, missing: str) -> None:
    town.fake.key.without(missing)
    ended = await town.sync()
    assert ended.status == "failed"
    assert missing in (ended.error or "")
    # Never without revenue: nobody is written.
    assert await town.conn.fetchval("select count(*) from subscribers where synced_at is not null") == 0
    assert town.fake.counters.statuses[403] <= 8


async def test_a_key_that_sees_no_project(town: Town) -> None:
    town.fake.key.projects.clear()
    ended = await town.sync()
    assert ended.status == "failed"
    assert "sees no project" in (ended.error or "")


async def test_a_key_that_sees_several_projects(town: Town) -> None:
    town.fake.key.projects.insert(0, "proj_other")
    ended = await town.sync()
    assert ended.status == "failed"
    assert "rc_project_id" in (ended.error or "")
    assert PROJECT in (ended.error or "")
    await town.change(config={"rc_project_id": PROJECT})
    whole(await town.sync(), town)


async def test_a_project_that_is_not_there(town: Town) -> None:
    await town.change(config={"rc_project_id": "proj_gone"})
    ended = await town.sync()
    assert (ended.status, ended.error) == ("failed", "RevenueCat has no such thing: The project could not be found.")


async def test_a_project_that_goes_away_on_the_way_takes_nobody_with_it(town: Town) -> None:
    await town.sync()
    town.fake.knobs.latency = Latency(2 * SCALE)
    async with town.working():
        run_id = await town.trigger(full=True)
        await until_asked_for_customers(town)
        town.fake.key.projects.clear()
        ended = await town.ended(run_id)
    assert ended.status == "failed"
    assert await town.conn.fetchval("select count(*) from subscribers where due_at = 'infinity'") == 0


async def test_a_project_that_goes_away_among_some_who_were_found_takes_nobody_with_it(build: Build) -> None:
    town = await build(customers=60, mix=Mix(exhibits=False))
    await town.sync()
    town.fake.counters.reset()
    town.fake.knobs.latency = Latency(2 * SCALE)
    async with town.working():
        run_id = await town.trigger(full=True)
        await town.requests(3 * 15)  # not after a whole number of those that are kept together
        town.fake.key.projects.clear()
        ended = await town.ended(run_id)
    assert ended.status == "failed"
    assert await town.conn.fetchval("select count(*) from subscribers where due_at = 'infinity'") == 0


async def until_asked_for_customers(town: Town) -> None:
    before = town.fake.counters.requests["customer"]

    async def fact() -> bool:
        return town.fake.counters.requests["customer"] > before

    await until(fact, "calls about customers")


# Too busy, away, or broken


@pytest.mark.parametrize("said", ["seconds", "ms", "missing", "body_missing"])
async def test_a_busy_service_is_waited_for(town: Town, said: Any) -> None:
    town.fake.knobs.retry_after = said
    town.fake.knobs.add(Fault.RATE_LIMITED, "purchases", times=2)
    if said == "body_missing":
        town.fake.knobs.rules[0].times = 1  # the header says a whole second at least
    ended = await town.sync()
    whole(ended, town)
    assert ended.result["rate_limited"] == (1 if said == "body_missing" else 2)


@pytest.mark.slow
async def test_while_a_service_is_busy_nobody_calls_it(build: Build) -> None:
    town = await build(clock_scale=1.0)
    town.fake.knobs.add(Fault.RATE_LIMITED, "purchases", times=1)  # and is to be left alone for a second
    whole(await town.sync(), town)
    (refused,) = [asked.at for asked in town.fake.counters.log if asked.status == 429]
    later = [asked.at - refused for asked in town.fake.counters.log if asked.at > refused]
    assert [after for after in later if 0.5 < after < 1.0] == []  # what was under way is over by then
    assert max(later) > 1.0


async def test_a_service_that_stays_busy_is_given_up_for_that_user(town: Town) -> None:
    somebody = named(town.fake)[2]
    town.revenuecat = town.process(manners=replace(HASTE, longest_wait=0.05))
    town.fake.knobs.add(Fault.RATE_LIMITED, "purchases", customer=somebody)
    ended = await town.sync()
    assert ended.status == "completed"
    assert counts(ended.result, "errors", "error_users", "error_status_counts") == {
        "errors": 1,
        "error_users": [somebody],
        "error_status_counts": {"429": 1},
    }


TROUBLE = [
    Fault.SERVER_ERROR,
    Fault.UNAVAILABLE,
    Fault.BAD_GATEWAY,
    Fault.LOCKED,
    Fault.INVALID_JSON,
    Fault.TRUNCATED_JSON,
    Fault.CUT,
    Fault.RESET,
]


@pytest.mark.parametrize("fault", TROUBLE)
async def test_what_goes_wrong_three_times_is_tried_a_fourth_time(town: Town, fault: Fault) -> None:
    town.fake.knobs.add(fault, "subscriptions", customer=named(town.fake)[1], times=3)
    ended = await town.sync()
    whole(ended, town)


@pytest.mark.parametrize("fault", TROUBLE)
async def test_what_goes_wrong_four_times_is_an_error_of_that_user(town: Town, fault: Fault) -> None:
    somebody = named(town.fake)[1]
    town.fake.knobs.add(fault, "subscriptions", customer=somebody)
    ended = await town.sync()
    label = {
        Fault.SERVER_ERROR: "500",
        Fault.UNAVAILABLE: "503",
        Fault.BAD_GATEWAY: "502",
        Fault.LOCKED: "423",
        Fault.INVALID_JSON: "bad_json",
        Fault.TRUNCATED_JSON: "bad_json",
    }.get(fault, "network")
    assert ended.status == "completed"
    assert counts(ended.result, "errors", "skipped", "error_users", "error_status_counts") == {
        "errors": 1,
        "skipped": 1,
        "error_users": [somebody],
        "error_status_counts": {label: 1},
    }
    tried = [
        asked for asked in town.fake.counters.log if asked.call.route == "subscriptions" and asked.call.customer_id == somebody
    ]
    assert len(tried) <= 4
    assert ended.result["synced"] + 1 == ended.result["total"] == ended.progress["processed"]
    assert ended.progress["message"] == f"Synced {ended.result['synced']} users, 1 skipped"


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.SLOW_BODY])
async def test_an_answer_that_takes_too_long(town: Town, fault: Fault) -> None:
    somebody = named(town.fake)[1]
    town.revenuecat = town.process(manners=replace(HASTE, answer=0.4))
    town.fake.knobs.slow_body = 10 * SCALE
    town.fake.knobs.add(fault, "subscriptions", customer=somebody)
    ended = await town.sync()
    assert counts(ended.result, "error_users", "error_status_counts") == {
        "error_users": [somebody],
        "error_status_counts": {"timeout": 1},
    }


@pytest.mark.parametrize("route", ["customer", "subscriptions", "purchases"])
async def test_whoever_cannot_be_had_whole_is_not_written(town: Town, route: Any) -> None:
    somebody = named(town.fake)[4]
    await town.sync()
    before = await town.row(somebody)
    town.fake.knobs.add(Fault.SERVER_ERROR, route, customer=somebody)
    ended = await town.sync(full=True)
    assert ended.result["error_users"] == [somebody]
    assert await town.row(somebody) == before


async def test_at_most_ten_users_are_named(town: Town) -> None:
    for somebody in named(town.fake)[:12]:
        town.fake.knobs.add(Fault.SERVER_ERROR, "purchases", customer=somebody)
    ended = await town.sync()
    assert ended.result["errors"] == 12
    assert len(ended.result["error_users"]) == 10


async def test_an_outage_is_waited_for(build: Build) -> None:
    town = await build(customers=40)
    town.revenuecat = town.process(at_once=1)
    town.fake.knobs.add(Fault.UNAVAILABLE, after=20, times=20 * 4 + 2 * 4)  # until the third look
    ended = await town.sync()
    whole(ended, town)


async def test_an_outage_that_lasts_fails_the_run_and_leaves_what_was_done(build: Build) -> None:
    town = await build(customers=80, mix=Mix(exhibits=False))
    rule = town.fake.knobs.add(Fault.BAD_GATEWAY, after=130)
    ended = await town.sync()
    assert ended.status == "failed"
    assert "RevenueCat could not answer (status 502)" in (ended.error or "")
    assert 42 - 8 - 9 <= ended.result["synced"] <= 42  # 42 were had whole; behind one of eight who was not nobody is kept
    assert ended.result["errors"] == 0
    town.fake.knobs.rules.remove(rule)
    after = await town.sync()
    whole(after, town)
    assert after.result["unchanged"] == ended.result["synced"]


async def test_an_outage_from_the_beginning(town: Town) -> None:
    town.fake.knobs.add(Fault.RESET)
    ended = await town.sync()
    assert ended.status == "failed"
    assert re.fullmatch(r"RevenueCat cannot be reached \(\w+\)\.", ended.error or "")


async def test_a_catalog_that_cannot_be_had(town: Town) -> None:
    town.fake.knobs.add(Fault.SERVER_ERROR, "products")
    ended = await town.sync()
    assert ended.status == "completed"
    assert ended.result["catalog_degraded"]
    listed = await town.conn.fetch("select distinct entitlement from subscriber_entitlements")
    assert all(row["entitlement"].startswith("entl") for row in listed), listed
    town.fake.knobs.rules.clear()
    again = await town.sync(full=True)  # it was not remembered
    assert not again.result["catalog_degraded"]
    listed = await town.conn.fetch("select distinct entitlement from subscriber_entitlements")
    assert not any(row["entitlement"].startswith("entl") for row in listed), listed


# Pages


@pytest.mark.parametrize("style", ["relative", "absolute"])
@pytest.mark.parametrize("last", ["null", "absent"])
async def test_pages_are_followed_however_they_are_written(town: Town, style: Any, last: Any) -> None:
    town.fake.knobs.page_cap = 7
    town.fake.knobs.next_page, town.fake.knobs.last_page = style, last
    whole(await town.sync(), town)


async def test_lists_of_a_customer_are_read_to_their_end(build: Build) -> None:
    town = await build(mix=Mix(heavy=1.0))
    town.fake.knobs.page_cap = 7
    whole(await town.sync(), town)
    assert town.fake.counters.requests["attributes"] > 0
    assert town.fake.counters.requests["subscriptions"] > len(named(town.fake))
    assert town.fake.counters.requests["purchases"] > len(named(town.fake))
    for id_ in named(town.fake):
        truth, row = town.fake.truth(id_), await town.row(id_)
        assert (row["revenue_cents"], tuple(row["entitlements"])) == (truth.revenue_usd_cents, truth.entitlements)
        assert row["attributes"] == {name: value for name, value in truth.attributes.items() if value is not None}


async def test_the_limit_is_lowered_until_it_is_taken(build: Build) -> None:
    town = await build(customers=60)
    town.fake.knobs.page_cap, town.fake.knobs.over_cap = 20, "refuse"
    ended = await town.sync()
    whole(ended, town)
    assert town.fake.counters.statuses[400] == 2  # 100 and 50; and then it is known


@pytest.mark.parametrize("knob", ["repeated_cursor", "forgotten_cursor"])
async def test_a_listing_that_goes_in_circles_is_left(build: Build, knob: str) -> None:
    town = await build(customers=60)
    town.fake.knobs.page_cap = 20
    getattr(town.fake.knobs, knob).add("customers")
    ended = await town.sync()
    assert ended.status == "completed"
    assert ended.result["listing_incomplete"]
    assert town.fake.counters.requests["customers"] <= 3
    assert 0 < ended.result["synced"] < 60
    logged = await town.conn.fetchval("select count(*) from run_logs where level = 30")
    assert logged == 1


@pytest.mark.parametrize("knob", ["repeated_cursor", "forgotten_cursor"])
async def test_a_customers_list_that_goes_in_circles_is_an_error_of_that_user(town: Town, knob: str) -> None:
    getattr(town.fake.knobs, knob).add("purchases")
    town.fake.knobs.page_cap = 20
    ended = await town.sync()
    assert ended.status == "completed"
    assert ended.result["error_status_counts"] == {"pages": ended.result["errors"]} != {"pages": 0}
    assert town.fake.counters.requests["purchases"] <= 2 * ended.result["total"]
    written = await town.conn.fetchval("select count(*) from subscribers where synced_at is not null")
    assert written == ended.result["synced"]


async def test_a_part_of_revenuecat_that_is_away_for_everybody(town: Town) -> None:
    town.fake.knobs.add(Fault.SERVER_ERROR, "purchases")
    ended = await town.sync()
    assert ended.status == "failed"
    assert "status 500" in (ended.error or "")


async def test_a_page_on_another_host_is_not_followed(town: Town) -> None:
    town.fake.knobs.page_cap, town.fake.knobs.next_page = 20, "foreign"
    ended = await town.sync()
    assert ended.status == "completed"
    assert ended.result["listing_incomplete"]
    assert ended.result["skipped_anonymous"] + ended.result["total"] == 20


async def test_customers_who_come_and_go_while_they_are_listed(build: Build) -> None:
    town = await build(customers=60)
    town.fake.knobs.page_cap = 20
    town.fake.knobs.latency_of["customers"] = Latency(50 * SCALE)
    async with town.working():
        run_id = await town.trigger()
        await town.requests(3)
        town.fake.insert("early", first=True)
        town.fake.insert("late")
        town.fake.delete(named(town.fake)[-2])
        ended = await town.ended(run_id)
    assert ended.status == "completed"
    assert ended.result["synced"] + ended.result["skipped"] == ended.result["total"]
    assert (await town.row("late"))["active"]
