"""The fake's rate limits, the clock that they go by, and what it counts."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from tests.testing.caller import Caller

from tawny.testing.revenuecat import FakeRevenueCat, Fault, Key, Options, Rule
from tawny.testing.revenuecat.bucket import Bucket

USAGE, LIMIT = "RevenueCat-Rate-Limit-Current-Usage", "RevenueCat-Rate-Limit-Current-Limit"


# Buckets


def let_in(bucket: Bucket, times: list[float], kind: Any = "sliding", neighbour: float = 0.0) -> list[float]:
    return [at for at in times if bucket.let_in(at, kind, neighbour)]


def test_no_window_of_any_place_lets_in_more_than_the_limit() -> None:
    times = [n / 10 for n in range(600)]
    came = let_in(Bucket(5, 6.0), times)
    assert max(sum(begin < at <= begin + 6.0 for at in came) for begin in times) == 5
    assert len(came) == 50


def test_fixed_windows_let_in_twice_as_many_around_their_border() -> None:
    border = [5.9, 5.92, 5.94, 6.0, 6.01, 6.02, 6.03]
    assert let_in(Bucket(3, 6.0), border, "fixed") == [5.9, 5.92, 5.94, 6.0, 6.01, 6.02]
    assert let_in(Bucket(3, 6.0), border) == [5.9, 5.92, 5.94]


def test_the_wait_is_until_the_next_place() -> None:
    bucket = Bucket(2, 6.0)
    let_in(bucket, [1.0, 3.0])
    assert bucket.wait(4.0, "sliding") == 3.0
    assert bucket.wait(4.0, "fixed") == 2.0
    assert bucket.let_in(7.0, "sliding", 0.0)
    assert not bucket.let_in(8.9, "sliding", 0.0)


def test_a_neighbour_takes_its_part_and_no_more_than_there_is() -> None:
    slow, fast = [n * 0.26 for n in range(400)], [n * 0.1 for n in range(1200)]
    assert let_in(Bucket(48, 6.0), slow, neighbour=24.0) == slow
    alone, beside = let_in(Bucket(48, 6.0), fast), let_in(Bucket(48, 6.0), fast, neighbour=24.0)
    assert len(alone) / 2 < len(beside) < len(alone) * 3 / 4
    assert len(let_in(Bucket(48, 6.0), fast, neighbour=10_000.0)) < len(alone) / 10


# Over HTTP


async def test_the_limit_is_told_and_then_enforced() -> None:
    async with FakeRevenueCat(Options(customers=3, customer_limit=4)) as fake, Caller(fake) as caller:
        answers = [await caller.get("customers") for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 2
        assert [answer.headers[USAGE] for answer in answers] == ["1", "2", "3", "4", "4", "4"]
        assert {answer.headers[LIMIT] for answer in answers} == {"4"}
        body = answers[-1].json()
        assert (body["object"], body["type"], body["retryable"]) == ("error", "rate_limit_error", True)
        assert 58_000 < body["backoff_ms"] <= 60_000
        assert answers[-1].headers["Retry-After"] == "60"
        assert (await caller.get("entitlements")).status_code == 200
        assert (fake.counters.rate_limited, fake.counters.total) == (2, 7)


async def test_limits_are_those_that_are_published_and_each_key_has_its_own() -> None:
    async with FakeRevenueCat(Options(customers=3)) as fake, Caller(fake) as caller:
        fake.add_key(Key("sk_second"))
        for path, limit in (("customers", "480"), ("products", "60")):
            answer = await caller.get(path)
            assert (answer.headers[USAGE], answer.headers[LIMIT]) == ("1", limit)
        async with Caller(fake, "sk_second") as second:
            assert (await second.get("customers")).headers[USAGE] == "1"


async def test_a_scaled_clock_shortens_the_window_and_the_waits() -> None:
    options = Options(customers=3, clock_scale=600)
    assert (options.window, options.limit("customer_information")) == (0.1, 1)
    async with FakeRevenueCat(options) as fake, Caller(fake) as caller:
        answers = [await caller.get("customers") for _ in range(3)]
        refused = next(answer for answer in answers if answer.status_code == 429)
        await asyncio.sleep(refused.json()["backoff_ms"] / 1000)
        assert (await caller.get("customers")).status_code == 200
    assert Options(clock_scale=10).limit("customer_information") == 48
    assert Options(clock_scale=10, customer_limit=480).limit("customer_information") == 480


@pytest.mark.parametrize(
    ("mode", "header", "with_body"),
    [("seconds", "60", True), ("ms", "60000", True), ("missing", None, True), ("body_missing", "60", False)],
)
async def test_a_429_says_the_wait_in_one_of_four_ways(mode: Any, header: str | None, with_body: bool) -> None:
    async with FakeRevenueCat(Options(customers=3, customer_limit=1)) as fake, Caller(fake) as caller:
        fake.knobs.retry_after = mode
        await caller.get("customers")
        refused = await caller.get("customers")
        said = refused.headers.get("Retry-After")
        assert refused.status_code == 429
        assert said == header or (mode == "ms" and 58_000 < int(said or 0) <= 60_000)
        assert bool(refused.content) == with_body


async def test_a_429_out_of_the_blue_is_to_be_waited_out_for_a_second() -> None:
    async with FakeRevenueCat(Options(customers=3)) as fake, Caller(fake) as caller:
        fake.knobs.rules.append(Rule(Fault.RATE_LIMITED, times=1))
        refused = await caller.get("customers")
        assert (refused.status_code, refused.json()["backoff_ms"], refused.headers["Retry-After"]) == (429, 1000, "1")
        assert (await caller.get("customers")).status_code == 200


async def test_limits_can_be_off_and_a_neighbour_can_come() -> None:
    async with FakeRevenueCat(Options(customers=3, customer_limit=2)) as fake, Caller(fake) as caller:
        fake.knobs.limits = False
        assert {(await caller.get("customers")).status_code for _ in range(5)} == {200}
        fake.knobs.limits = True
        fake.knobs.neighbour = 100_000
        assert (await caller.get("customers")).status_code == 200
        await asyncio.sleep(0.01)
        assert (await caller.get("customers")).status_code == 429


# What is counted


async def test_requests_are_counted_by_route_and_in_windows() -> None:
    async with FakeRevenueCat(Options(customers=3, clock_scale=200)) as fake, Caller(fake) as caller:
        fake.knobs.limits = False
        for path in ("/v2/projects", "customers", "customers/user-0", "customers/user-0", "customers/user-0/purchases"):
            await caller.get(path)
        await asyncio.sleep(0.35)
        await caller.get("customers")
        counters = fake.counters
        assert dict(counters.requests) == {"projects": 1, "customers": 2, "customer": 2, "purchases": 1}
        assert counters.max_in_window == {"customer_information": 4, "project_configuration": 1}
        assert 1 <= counters.max_in_fixed_window["customer_information"] <= 4
        assert [(asked.call.route, asked.status) for asked in counters.log][-2:] == [("purchases", 200), ("customers", 200)]
        counters.reset()
        assert (counters.total, dict(counters.statuses), counters.max_concurrency) == (0, {}, 0)
        for _ in range(2):
            await caller.get("customers/user-0")
        assert (counters.max_concurrency, counters.max_concurrency_per_customer) == (1, 1)
        assert counters.max_in_window == {"customer_information": 2, "project_configuration": 0}


async def test_a_request_that_is_refused_counts_as_well() -> None:
    async with FakeRevenueCat(Options(customers=3, customer_limit=1)) as fake, Caller(fake) as caller:
        for _ in range(3):
            await caller.get("customers")
        assert fake.counters.max_in_window["customer_information"] == 3


async def test_concurrency_is_counted_in_all_and_for_each_customer() -> None:
    async with FakeRevenueCat(Options(customers=30)) as fake, Caller(fake) as caller:
        fake.knobs.add(Fault.HANG)
        paths = ["customers/user-0", "customers/user-0/purchases", "customers/user-0/subscriptions", "customers/shop%2Feu%2F2"]
        waiting = [asyncio.create_task(caller.get(path)) for path in paths]
        while fake.counters.total < 4:
            await asyncio.sleep(0)
        assert (fake.counters.max_concurrency, fake.counters.max_concurrency_per_customer) == (4, 3)
        for task in waiting:
            task.cancel()


async def test_it_answers_a_thousand_requests_quickly_whatever_the_number_of_customers() -> None:
    """A bound for a busy machine: benches ask for hundreds of thousands of answers."""
    async with FakeRevenueCat(Options(customers=1_000_000)) as fake, Caller(fake) as caller:
        fake.knobs.limits = False
        begin = time.process_time()
        for n in range(100):
            await caller.get(f"customers/user-{n * 9973}/subscriptions")
        page = await caller.json("customers", limit=100, starting_after="user-0")
        assert len(page["items"]) == 100
        assert time.process_time() - begin < 2.0
