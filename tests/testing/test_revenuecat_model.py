"""The fake's customers: made from the seed, changed while it serves, and what is true of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from tests.testing.caller import Caller, path_of

from tawny.testing.revenuecat import FakeRevenueCat, Mix, Options

NOW = 1_790_000_000_000


def model(customers: int = 60, seed: int = 1, **options: object) -> FakeRevenueCat:
    """A fake that does not serve."""
    return FakeRevenueCat(Options(customers=customers, seed=seed, now=NOW, **options))  # type: ignore[arg-type]


@pytest.fixture
async def fake() -> AsyncIterator[FakeRevenueCat]:
    async with model() as fake:
        yield fake


@pytest.fixture
async def caller(fake: FakeRevenueCat) -> AsyncIterator[Caller]:
    async with Caller(fake) as caller:
        yield caller


def test_the_same_seed_makes_the_same_customers_and_another_one_others() -> None:
    one, same, other = model(), model(), model(seed=2)
    assert [one.customer(id_) for id_ in one.customer_ids()] == [same.customer(id_) for id_ in same.customer_ids()]
    assert [one.customer(id_) for id_ in one.customer_ids()] != [other.customer(id_) for id_ in other.customer_ids()]


def test_more_customers_change_nothing_about_the_first() -> None:
    few, many = model(60), model(100_000)
    assert [few.truth(id_) for id_ in few.customer_ids()] == [many.truth(id_) for id_ in few.customer_ids()]


def test_thirty_customers_have_every_strange_kind() -> None:
    fake = model(30)
    truths = [fake.truth(id_) for id_ in fake.customer_ids()]
    assert max(len(truth.subscriptions) for truth in truths) == 25
    assert max(truth.purchases for truth in truths) == 45
    assert max(len(truth.attributes) for truth in truths) > 20
    assert any(truth.anonymous and truth.aliases for truth in truths)
    assert any(truth.last_seen_at is None for truth in truths)
    assert any(not truth.subscriptions and not truth.purchases for truth in truths)
    assert any(truth.subscriptions and not truth.production for truth in truths)
    subscriptions = [subscription for truth in truths for subscription in truth.subscriptions]
    assert any(subscription.product is None and subscription.store == "promotional" for subscription in subscriptions)
    assert any(subscription.current_period_ends_at is None for subscription in subscriptions)
    assert any(subscription.status == "half_frozen" and subscription.store == "galaxy_store" for subscription in subscriptions)
    assert any(entitlement["expires_at"] is None for id_ in fake.customer_ids() for entitlement in _active(fake, id_))
    assert any("favourite_colour" in fake.customer(id_).sent for id_ in fake.customer_ids())


def _active(fake: FakeRevenueCat, customer_id: str) -> list[dict[str, object]]:
    return fake.customer(customer_id).active_entitlements


def test_the_mix_says_how_many_there_are_of_a_kind() -> None:
    fake = model(2000, mix=Mix(anonymous=0.3, subscribers=1.0, heavy=0.0, buyers=0.0, exhibits=False))
    truths = [fake.truth(id_) for id_ in fake.customer_ids()]
    assert 0.25 < sum(truth.anonymous for truth in truths) / 2000 < 0.35
    assert all(1 <= len(truth.subscriptions) <= 3 for truth in truths)
    assert not any(truth.purchases for truth in truths)


def test_subscriptions_are_in_every_state_and_end_when_they_say() -> None:
    fake = model(400)
    lines = [line for id_ in fake.customer_ids() for line in fake.truth(id_).subscriptions]
    assert {line.status for line in lines} >= {
        *("active", "trialing", "expired", "in_grace_period", "in_billing_retry", "paused"),
    }
    assert ("active", "will_not_renew") in {(line.status, line.auto_renewal_status) for line in lines}
    day = 86_400_000
    for line in lines:
        if line.current_period_ends_at is not None:
            assert (line.current_period_ends_at <= NOW) == (line.status == "expired")
            assert line.status == "expired" or line.current_period_ends_at >= NOW + 2 * day


# What is true


async def test_the_truth_is_what_all_pages_together_say(caller: Caller, fake: FakeRevenueCat) -> None:
    fake.knobs.limits = False
    keys = {item["id"]: item["lookup_key"] for item in await caller.items("entitlements")}
    for customer_id in fake.customer_ids():
        truth = fake.truth(customer_id)
        subscriptions = await caller.items(path_of(customer_id, "subscriptions"), environment="production")
        purchases = await caller.items(path_of(customer_id, "purchases"), environment="production")
        active = await caller.items(path_of(customer_id, "active_entitlements"))
        money = [line["total_revenue_in_usd"] for line in subscriptions] + [line["revenue_in_usd"] for line in purchases]
        assert truth.revenue_usd_cents == round(sum(paid["gross"] for paid in money if paid) * 100)
        assert truth.entitlements == tuple(sorted(keys[item["entitlement_id"]] for item in active))
        assert truth.last_seen_at == (await caller.json(path_of(customer_id)))["last_seen_at"]
        assert len(truth.production) == len(subscriptions)


def test_revenue_is_exact_and_leaves_the_sandbox_out() -> None:
    fake = model()
    customer = fake.customer("user-0")
    line = customer.subscriptions[0]
    money = {"currency": "USD", "gross": 0.1, "tax": 0.0, "proceeds": 0.1}
    paid = line | {"environment": "production", "total_revenue_in_usd": money}
    customer.subscriptions = [
        *(paid | {"id": f"p{n}"} for n in range(3)),
        paid | {"id": "s", "environment": "sandbox"},
        paid | {"id": "n", "total_revenue_in_usd": None},
    ]
    fake.put(customer)
    assert fake.truth("user-0").revenue_usd == Decimal("0.30")
    assert fake.truth("user-0").revenue_usd_cents == 30


# What changes while it serves


def test_an_entitlement_ends_with_what_gives_it() -> None:
    fake = model(200, mix=Mix(exhibits=False))
    compared = 0
    for customer in map(fake.customer, fake.customer_ids()):
        ends = {line["current_period_ends_at"] for line in customer.subscriptions if line["gives_access"]}
        assert {entitlement["expires_at"] for entitlement in customer.active_entitlements} == ends
        compared += len(ends)
    assert compared > 50


async def test_a_customer_can_be_changed(caller: Caller, fake: FakeRevenueCat) -> None:
    changed = fake.customer("user-0")
    changed.subscriptions[0]["status"] = "in_billing_retry"
    assert fake.truth("user-0").subscriptions[0].status != "in_billing_retry"
    fake.put(changed)
    changed.subscriptions.clear()
    assert [item["status"] for item in await caller.items("customers/user-0/subscriptions")] == ["in_billing_retry"]


async def test_customers_come_and_go_while_they_are_listed(caller: Caller, fake: FakeRevenueCat) -> None:
    before = fake.customer_ids()
    pages = caller.pages("customers", limit=20)
    seen = [item["id"] for item in (await anext(pages))["items"]]
    fake.delete(before[30])
    fake.insert("new/first", first=True)
    fake.insert("new last")
    async for page in pages:
        seen += [item["id"] for item in page["items"]]
    assert seen == [*before[:30], *before[31:], "new last"]
    assert fake.customer_ids() == ["new/first", *before[:30], *before[31:], "new last"]
    assert (await caller.get(path_of(before[30]))).status_code == 404
    assert (await caller.json(path_of("new/first")))["id"] == "new/first"
    assert (await caller.items(path_of("new/first", "subscriptions")))[0]["customer_id"] == "new/first"
    assert len(fake.people) == 61


async def test_a_cursor_whose_customer_is_gone_is_the_first_page_again(caller: Caller, fake: FakeRevenueCat) -> None:
    first = await caller.json("customers")
    fake.delete(first["items"][-1]["id"])
    assert (await caller.json("customers", starting_after=first["items"][-1]["id"]))["items"][0] == first["items"][0]


async def test_a_touch_moves_last_seen_at(caller: Caller, fake: FakeRevenueCat) -> None:
    before = fake.truth("user-0").last_seen_at
    fake.touch("user-0")
    after = (await caller.json("customers/user-0"))["last_seen_at"]
    assert before is not None
    assert after == fake.truth("user-0").last_seen_at > NOW > before
    with pytest.raises(KeyError):
        fake.touch("nobody")


def test_a_share_is_touched_the_same_for_the_same_seed() -> None:
    fake, same, other = model(2000), model(2000), model(2000)
    before = seen(fake)
    count = fake.touch_share(0.05, seed=7)
    moved = before ^ seen(fake)
    assert len(moved) == 2 * count
    assert 0.035 < count / 2000 < 0.065
    assert same.touch_share(0.05, seed=7) == count
    other.touch_share(0.05, seed=8)
    assert before ^ seen(other) != moved
    fake.touch("user-0")
    assert fake.touch_share(1.0, seed=9) == 2000
    assert {at for _, at in seen(fake)} == {fake.now}


def seen(fake: FakeRevenueCat) -> set[tuple[int, int | None]]:
    return {(index, fake.people.last_seen_at(index)) for index in fake.people}


def test_an_unknown_customer_is_a_key_error() -> None:
    fake = model()
    for verb in (fake.customer, fake.truth, fake.delete, fake.touch):
        with pytest.raises(KeyError):
            verb("user-60")
