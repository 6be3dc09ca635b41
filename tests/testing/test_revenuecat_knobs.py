"""What can be turned while the fake serves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from json import JSONDecodeError
from random import Random
from typing import Any

import httpx
import pytest
from tests.testing.caller import Caller

from tawny.testing.revenuecat import FakeRevenueCat, Fault, Latency, Options


@pytest.fixture
async def fake() -> AsyncIterator[FakeRevenueCat]:
    async with FakeRevenueCat(Options(customers=60, clock_scale=10, customer_limit=1000)) as fake:
        yield fake


@pytest.fixture
async def caller(fake: FakeRevenueCat) -> AsyncIterator[Caller]:
    async with Caller(fake) as caller:
        yield caller


# Faults


@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [
        (Fault.SERVER_ERROR, 500, "server_error"),
        (Fault.UNAVAILABLE, 503, "server_error"),
        (Fault.LOCKED, 423, "resource_locked_error"),
        (Fault.RATE_LIMITED, 429, "rate_limit_error"),
    ],
)
async def test_errors_say_when_to_come_again(caller: Caller, fake: FakeRevenueCat, fault: Fault, status: int, kind: str) -> None:
    fake.knobs.add(fault)
    answer = await caller.get("customers")
    body = answer.json()
    assert (answer.status_code, body["type"], body["retryable"], body["backoff_ms"]) == (status, kind, True, 100)


async def test_a_bad_gateway_answers_with_a_page_of_html(caller: Caller, fake: FakeRevenueCat) -> None:
    fake.knobs.add(Fault.BAD_GATEWAY)
    answer = await caller.get("customers")
    assert (answer.status_code, answer.headers["Content-Type"]) == (502, "text/html")
    with pytest.raises(JSONDecodeError):
        answer.json()


@pytest.mark.parametrize("fault", [Fault.INVALID_JSON, Fault.TRUNCATED_JSON])
async def test_json_can_be_broken_in_an_answer_that_is_200(caller: Caller, fake: FakeRevenueCat, fault: Fault) -> None:
    fake.knobs.add(fault)
    answer = await caller.get("customers")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    with pytest.raises(JSONDecodeError):
        answer.json()


@pytest.mark.parametrize(("fault", "raised"), [(Fault.CUT, httpx.RemoteProtocolError), (Fault.RESET, httpx.ReadError)])
async def test_a_connection_can_end_early_and_the_next_one_works(
    caller: Caller, fake: FakeRevenueCat, fault: Fault, raised: type[Exception]
) -> None:
    fake.knobs.add(fault, times=1)
    with pytest.raises(raised):
        await caller.get("customers")
    assert (await caller.get("customers")).status_code == 200
    assert fake.counters.statuses == ({200: 2} if fault is Fault.CUT else {0: 1, 200: 1})


async def test_a_request_can_hang_until_its_client_gives_up(fake: FakeRevenueCat) -> None:
    fake.knobs.add(Fault.HANG, "customers")
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {fake.key.secret}"}, trust_env=False, verify=False) as http:
        with pytest.raises(httpx.ReadTimeout):
            await http.get(f"{fake.url}/projects/{fake.project_id}/customers", timeout=0.05)
        assert (await http.get(f"{fake.url}/projects")).status_code == 200


async def test_leaving_ends_what_hangs() -> None:
    async with FakeRevenueCat(Options(customers=3)) as fake, Caller(fake) as caller:
        fake.knobs.add(Fault.HANG)
        waiting = asyncio.create_task(caller.get("customers"))
        while not fake.counters.total:
            await asyncio.sleep(0)
    with pytest.raises(httpx.HTTPError):
        await waiting


async def test_a_body_can_be_slow_and_whole(caller: Caller, fake: FakeRevenueCat) -> None:
    fake.knobs.slow_body = 1.0
    fake.knobs.add(Fault.SLOW_BODY)
    begin = time.monotonic()
    assert len((await caller.json("customers"))["items"]) == 20
    assert time.monotonic() - begin >= 0.1


async def test_a_rule_is_for_a_route_a_customer_and_so_many_times(caller: Caller, fake: FakeRevenueCat) -> None:
    async def statuses(path: str, times: int = 4) -> list[int]:
        return [(await caller.get(path)).status_code for _ in range(times)]

    rule = fake.knobs.add(Fault.SERVER_ERROR, "purchases", customer="user-0", after=1, times=2)
    assert await statuses("customers/user-0") == [200] * 4
    assert await statuses("customers/user-0/subscriptions") == [200] * 4
    assert await statuses("customers/shop%2Feu%2F2/purchases") == [200] * 4
    assert await statuses("customers/user-0/purchases") == [200, 500, 500, 200]
    fake.knobs.rules.remove(rule)
    fake.knobs.add(Fault.LOCKED)
    assert await statuses("/v2/projects", 2) == [423] * 2


async def test_a_probability_is_drawn_from_the_seed() -> None:
    async def fate(seed: int) -> list[int]:
        async with FakeRevenueCat(Options(customers=3, seed=seed)) as fake, Caller(fake) as caller:
            fake.knobs.add(Fault.SERVER_ERROR, probability=0.3)
            return [(await caller.get("customers")).status_code for _ in range(60)]

    first = await fate(1)
    assert 5 < first.count(500) < 35
    assert await fate(1) == first != await fate(2)


# How slow


async def test_latency_is_scaled_and_can_be_that_of_a_route(caller: Caller, fake: FakeRevenueCat) -> None:
    async def took(path: str) -> float:
        begin = time.monotonic()
        await caller.get(path)
        return time.monotonic() - begin

    await caller.get("customers")
    fake.knobs.latency = Latency(500)
    fake.knobs.latency_of["products"] = Latency(0)
    assert 0.05 <= await took("customers") < 0.5
    assert await took("products") < 0.05


def test_a_latency_is_drawn_between_its_bounds_with_a_tail() -> None:
    chance = Random(1)
    assert {Latency(50).draw(chance) for _ in range(10)} == {0.05}
    drawn = [Latency(20, 80).draw(chance) for _ in range(1000)]
    assert 0.02 <= min(drawn) < 0.025 < 0.075 < max(drawn) <= 0.08
    assert 50 < sum(Latency(50, tail=0.1).draw(chance) == 0.5 for _ in range(1000)) < 150


def test_a_latency_is_read_from_text() -> None:
    assert Latency.parse("50ms") == Latency.parse("50") == Latency(50)
    assert Latency.parse("20ms-80ms") == Latency(20, 80)
    for text in ("", "fast", "5s", "1-2-3", "-5ms"):
        with pytest.raises(ValueError, match="50ms"):
            Latency.parse(text)


# How it pages


async def test_pages_have_a_cap_that_may_be_refused(caller: Caller, fake: FakeRevenueCat) -> None:
    fake.knobs.page_cap = 20
    assert [len(page["items"]) async for page in caller.pages("customers", limit=100)] == [20, 20, 20]
    fake.knobs.over_cap = "refuse"
    refused = await caller.get("customers", limit=100)
    assert (refused.status_code, refused.json()["param"]) == (400, "limit")
    assert (await caller.get("customers", limit=20)).status_code == 200


@pytest.mark.parametrize(
    ("knob", "begin"), [("relative", "/v2/"), ("absolute", "http://127.0.0.1:"), ("foreign", "http://127.0.0.2:9")]
)
async def test_the_next_page_is_named_in_several_ways(caller: Caller, fake: FakeRevenueCat, knob: Any, begin: str) -> None:
    fake.knobs.next_page = knob
    page = await caller.json("customers")
    assert page["next_page"].startswith(begin)
    assert page["url"].startswith("/v2/" if knob == "relative" else fake.origin)
    if knob != "foreign":
        assert [item["id"] for item in await caller.items("customers")] == fake.customer_ids()


async def test_the_last_page_says_null_or_nothing(caller: Caller, fake: FakeRevenueCat) -> None:
    assert (await caller.json("customers", limit=60))["next_page"] is None
    fake.knobs.last_page = "absent"
    assert "next_page" not in await caller.json("customers", limit=60)
    assert [len(page["items"]) async for page in caller.pages("customers")] == [20, 20, 20]


async def test_a_cursor_can_be_repeated_or_forgotten(caller: Caller, fake: FakeRevenueCat) -> None:
    fake.knobs.repeated_cursor = {"customers"}
    cursor = fake.customer_ids()[19]
    page = await caller.json("customers", starting_after=cursor)
    assert (await caller.json(page["next_page"]))["next_page"] == page["next_page"]
    assert len(await caller.items("products")) == 45
    fake.knobs.repeated_cursor.clear()
    fake.knobs.forgotten_cursor = {"customers"}
    first = await caller.json("customers")
    assert await caller.json(first["next_page"]) == first


# Keys


async def test_the_key_is_revoked_after_some_requests(caller: Caller, fake: FakeRevenueCat) -> None:
    fake.knobs.revoke_after = 2
    assert [(await caller.get("customers")).status_code for _ in range(4)] == [200, 200, 401, 401]
    assert fake.key.revoked
