"""What is known of a subscriber, from what RevenueCat answers: pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tawny.integrations.revenuecat.client import Found
from tawny.integrations.revenuecat.shapes import ActiveEntitlement, Attribute, Customer, Purchase, Subscription
from tawny.integrations.revenuecat.subscriber import LOOK_AGAIN, Catalog, Known, known, time_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CATALOG = Catalog({"entl1": "pro", "entl2": "plus"}, {"prod1": "com.example.monthly"})


def ms(days: float) -> int:
    """So many days from now."""
    return int((NOW + timedelta(days=days)).timestamp() * 1000)


def subscription(**fields: Any) -> Subscription:
    given = {
        "id": "sub1",
        "product_id": "prod1",
        "starts_at": ms(-20),
        "current_period_starts_at": ms(-20),
        "current_period_ends_at": ms(10),
        "gives_access": True,
        "auto_renewal_status": "will_renew",
        "status": "active",
        "environment": "production",
        "store": "app_store",
        "total_revenue_in_usd": {"gross": 9.99},
    }
    return Subscription.model_validate(given | fields)


def purchase(gross: Any = 1.0, **fields: Any) -> Purchase:
    given = {"id": "p", "environment": "production", "revenue_in_usd": {"gross": gross}}
    return Purchase.model_validate(given | fields)


def look(
    *subscriptions: Subscription,
    purchases: tuple[Purchase, ...] = (),
    entitlements: tuple[ActiveEntitlement, ...] = (),
    attributes: tuple[Attribute, ...] = (),
    canonical: str = "ann",
    seen: int | None = None,
) -> Known:
    customer = Customer(id=canonical, last_seen_at=seen)
    return known(Found("ann", customer, entitlements, subscriptions, purchases, attributes), CATALOG, NOW)


def test_a_subscriber_who_pays() -> None:
    found = look(subscription(), entitlements=(ActiveEntitlement(entitlement_id="entl1", expires_at=ms(10)),))
    assert found.properties == {
        "rc_subscriber": "true",
        "rc_status": "active",
        "rc_will_renew": "true",
        "rc_product": "com.example.monthly",
        "rc_entitlements": "pro",
        "rc_period_type": "normal",
        "rc_billing_period": "monthly",
        "rc_total_revenue_usd": "9.99",
        "rc_store": "app_store",
    }
    assert (found.status, found.active, found.entitlements, found.revenue_cents) == ("active", True, ("pro",), 999)


def test_nobody_who_ever_bought_anything() -> None:
    found = look()
    assert (found.status, found.active, found.entitlements, found.revenue_cents) == (None, False, (), 0)
    assert found.properties == {"rc_subscriber": "false", "rc_total_revenue_usd": "0.00"}


@pytest.mark.parametrize(
    ("fields", "status", "active"),
    [
        ({}, "active", True),
        ({"status": "trialing"}, "trialing", True),
        ({"auto_renewal_status": "will_not_renew"}, "cancelled", True),
        ({"status": "trialing", "auto_renewal_status": "will_not_renew"}, "cancelled", True),
        ({"status": "in_grace_period"}, "billing_issue", True),
        ({"status": "in_billing_retry", "gives_access": False}, "billing_issue", False),
        ({"status": "expired", "gives_access": False}, "expired", False),
        ({"status": "active", "gives_access": False}, "expired", False),
        ({"status": "paused", "gives_access": False}, "paused", False),
        ({"status": "half_frozen"}, "half_frozen", True),
        ({"status": "half_frozen", "gives_access": False}, "half_frozen", False),
        ({"status": None}, "active", True),
    ],
)
def test_statuses(fields: dict[str, Any], status: str, active: bool) -> None:
    found = look(subscription(**fields))
    assert (found.status, found.active) == (status, active)
    assert found.properties["rc_subscriber"] == str(active).lower()


@pytest.mark.parametrize(
    ("renewal", "expected"),
    [("will_renew", "true"), ("will_change_product", "true"), ("has_already_renewed", "true")]
    + [(word, "false") for word in ("will_not_renew", "will_pause", "requires_price_increase_consent", "will_melt", None)],
)
def test_who_will_renew(renewal: str | None, expected: str) -> None:
    assert look(subscription(auto_renewal_status=renewal)).properties["rc_will_renew"] == expected


@pytest.mark.parametrize(
    ("days", "period"),
    [
        (7, "weekly"),
        (14, "two_weeks"),
        (31, "monthly"),
        (61, "two_months"),
        (92, "three_months"),
        (184, "six_months"),
        (366, "yearly"),
        (3650, "lifetime"),
    ],
)
def test_periods_are_told_by_their_length(days: int, period: str) -> None:
    one = subscription(current_period_starts_at=ms(-1), current_period_ends_at=ms(days - 1))
    assert look(one).properties["rc_billing_period"] == period


def test_what_was_given_has_no_product_and_no_end() -> None:
    given = subscription(product_id=None, store="promotional", current_period_ends_at=None, total_revenue_in_usd=None)
    found = look(given)
    assert "rc_product" not in found.properties
    assert (found.properties["rc_period_type"], found.properties["rc_billing_period"]) == ("promotional", "lifetime")
    assert found.revenue_cents == 0


def test_what_was_bought_for_life() -> None:
    found = look(purchases=(purchase(99),), entitlements=(ActiveEntitlement(entitlement_id="entl2"),))
    assert (found.status, found.active, found.entitlements) == ("active", True, ("plus",))
    assert found.properties["rc_period_type"] == "lifetime"
    assert found.due_at == NOW + LOOK_AGAIN


def test_of_several_subscriptions_the_one_with_access_speaks() -> None:
    over = subscription(id="a", status="expired", gives_access=False, current_period_ends_at=ms(400), product_id="over")
    test = subscription(id="b", environment="sandbox", current_period_ends_at=ms(300), product_id="test")
    given = subscription(id="c", store="promotional", current_period_ends_at=None, product_id=None)
    paid = subscription(id="d")
    for order in ((over, test, given, paid), (paid, given, test, over)):
        assert look(*order).properties["rc_product"] == "com.example.monthly"


def test_the_sandbox_has_no_revenue() -> None:
    test = subscription(environment="sandbox", total_revenue_in_usd={"gross": 500})
    only = look(test, purchases=(purchase(7, environment="sandbox"),))
    assert (only.revenue_cents, only.properties["rc_environment"]) == (0, "sandbox")
    both = look(test, purchases=(purchase(7),))
    assert both.revenue_cents == 700
    assert "rc_environment" not in both.properties


@pytest.mark.parametrize(
    ("amounts", "cents"),
    [
        ((0.1, 0.2), 30),
        ((1e-9,), 0),
        ((-5, 2), 0),
        ((None,), 0),
        ((float("nan"), 1), 100),
        ((float("inf"),), 0),
        ((1e300,), 10**15),
    ],
)
def test_revenue_is_exact_and_never_less_than_nothing(amounts: tuple[Any, ...], cents: int) -> None:
    assert look(purchases=tuple(purchase(amount) for amount in amounts)).revenue_cents == cents


def test_it_is_due_at_the_next_end_of_anything() -> None:
    entitlement = ActiveEntitlement(entitlement_id="entl1", expires_at=ms(2))
    assert look(subscription(current_period_ends_at=ms(3)), entitlements=(entitlement,)).due_at == time_of(ms(2))
    assert look(subscription(current_period_ends_at=ms(-1))).due_at == NOW + LOOK_AGAIN
    assert look(subscription(current_period_ends_at=ms(30))).due_at == NOW + LOOK_AGAIN


def test_an_alias_says_whose() -> None:
    assert look(canonical="bob").properties["rc_alias_of"] == "bob"
    assert look(canonical="bob").canonical_id == "bob"


def test_ids_stand_for_names_that_are_not_known() -> None:
    found = look(subscription(product_id="new"), entitlements=(ActiveEntitlement(entitlement_id="entl9"),))
    assert (found.entitlements, found.properties["rc_product"]) == (("entl9",), "new")


def test_texts_are_what_a_database_takes() -> None:
    odd = (Attribute(name="$a\0", value="b\ud800"), Attribute(name="c", value=None), Attribute(name="d", value="x" * 10_000))
    found = look(subscription(store="a\0b", status="s\ud800"), attributes=odd)
    texts = [*found.properties.values(), *found.attributes.keys(), *found.attributes.values(), found.status or ""]
    assert not any("\0" in text or "\ud800" in text or len(text) > 1_000 for text in texts)
    assert "c" not in found.attributes


@pytest.mark.parametrize("wrong", [10**20, -(10**20)])
def test_times_that_no_calendar_has_are_none(wrong: int) -> None:
    assert time_of(wrong) is None
    assert look(subscription(current_period_ends_at=wrong), seen=wrong).due_at == NOW + LOOK_AGAIN
