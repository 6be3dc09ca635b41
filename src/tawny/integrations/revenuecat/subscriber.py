"""What is known of a subscriber, made of what RevenueCat answered. Pure: the time and the catalog are arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import inf, isfinite
from typing import Final

from tawny.integrations.revenuecat.client import Found
from tawny.integrations.revenuecat.shapes import Money, Purchase, Subscription
from tawny.jobs import clean_text

LOOK_AGAIN: Final = timedelta(days=7)
"""After so long a subscriber is asked for again, whatever happened."""

PROMOTIONAL: Final = "promotional"
"""The store of what was given and not bought."""

_WILL_RENEW: Final = frozenset({"will_renew", "will_change_product", "has_already_renewed"})
_UNPAID: Final = frozenset({"in_grace_period", "in_billing_retry"})
_KNOWN: Final = frozenset({"trialing", "active", "expired", "in_grace_period", "in_billing_retry"})

# A period of so many days at most is called so.
_PERIODS: Final = (
    (10, "weekly"),
    (20, "two_weeks"),
    (40, "monthly"),
    (70, "two_months"),
    (100, "three_months"),
    (200, "six_months"),
    (400, "yearly"),
)
_MOST_CENTS: Final = 10**15
_TEXT: Final = 1_000
_MOST_ATTRIBUTES: Final = 500


@dataclass(frozen=True, slots=True)
class Catalog:
    """What the project's entitlements and products are called, by id. `degraded`: it could not be had, ids stand for names."""

    entitlements: Mapping[str, str]
    products: Mapping[str, str]
    degraded: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """A subscriber as stored. `canonical_id` is RevenueCat's own id: another one where `app_user_id` is an alias of it."""

    app_user_id: str
    canonical_id: str
    status: str | None
    active: bool
    entitlements: tuple[str, ...]
    properties: Mapping[str, str]
    attributes: Mapping[str, str]
    revenue_cents: int
    last_seen_at: datetime | None
    due_at: datetime


def known(found: Found, catalog: Catalog, now: datetime) -> Known:
    """Put together what is stored of a subscriber.

    Who has access is what `gives_access` and the active entitlements say, whatever the words of a status are. Revenue is that of
    production only, in cents, refunds taken off. It is due again when a period or an entitlement ends, at the latest in a week.
    """
    entitlements = tuple(sorted({_name(catalog.entitlements, active.entitlement_id) for active in found.entitlements}))
    main = _main(found.subscriptions)
    active = bool(entitlements) or any(subscription.gives_access for subscription in found.subscriptions)
    cents = _cents(found)
    return Known(
        app_user_id=found.app_user_id,
        canonical_id=found.customer.id,
        status=_status(main, active=active),
        active=active,
        entitlements=entitlements,
        properties=_properties(found, catalog, main, entitlements, active=active, cents=cents),
        attributes=_attributes(found),
        revenue_cents=cents,
        last_seen_at=time_of(found.customer.last_seen_at),
        due_at=min(_boundaries(found, now)),
    )


def time_of(ms: int | None) -> datetime | None:
    """A time of RevenueCat's; None for one that no calendar has."""
    try:
        return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _main(subscriptions: Iterable[Subscription]) -> Subscription | None:
    """The subscription that says how the subscriber is doing: one with access, of production, paid for, that lasts longest."""

    def weight(one: Subscription) -> tuple[bool, bool, bool, float, int, str]:
        ends = one.current_period_ends_at
        lasts = ends if ends is not None else (inf if one.gives_access else -inf)
        return one.gives_access, _counts(one.environment), one.store != PROMOTIONAL, lasts, one.starts_at or 0, one.id

    return max(subscriptions, key=weight, default=None)


def _status(main: Subscription | None, *, active: bool) -> str | None:
    if main is None:
        return "active" if active else None
    if main.status is not None and main.status not in _KNOWN:
        return clean_text(main.status, _TEXT)
    if main.status in _UNPAID:
        return "billing_issue"
    if not main.gives_access:
        return "active" if active else "expired"
    if main.auto_renewal_status == "will_not_renew":
        return "cancelled"
    return main.status if main.status == "trialing" else "active"


def _properties(
    found: Found, catalog: Catalog, main: Subscription | None, entitlements: tuple[str, ...], *, active: bool, cents: int
) -> dict[str, str]:
    said = {
        "rc_subscriber": "true" if active else "false",
        "rc_status": _status(main, active=active),
        "rc_entitlements": ",".join(entitlements) or None,
        "rc_total_revenue_usd": f"{Decimal(cents) / 100:.2f}",
        "rc_environment": "sandbox" if _only_sandbox(found) else None,
        "rc_alias_of": found.customer.id if found.customer.id != found.app_user_id else None,
    } | _of_subscription(main, catalog, lifetime=active and main is None)
    return {name: clean_text(text, _TEXT) for name, text in said.items() if text is not None}


def _of_subscription(main: Subscription | None, catalog: Catalog, *, lifetime: bool) -> dict[str, str | None]:
    if main is None:
        return {"rc_period_type": "lifetime", "rc_billing_period": "lifetime"} if lifetime else {}
    return {
        "rc_will_renew": "true" if main.auto_renewal_status in _WILL_RENEW else "false",
        "rc_product": None if main.product_id is None else _name(catalog.products, main.product_id),
        "rc_period_type": _period_type(main),
        "rc_billing_period": _billing_period(main),
        "rc_store": main.store,
    }


def _period_type(main: Subscription) -> str:
    if main.store == PROMOTIONAL:
        return "promotional"
    if main.status == "trialing":
        return "trial"
    return "lifetime" if main.current_period_ends_at is None else "normal"


def _billing_period(main: Subscription) -> str | None:
    if main.current_period_ends_at is None:
        return "lifetime"
    if main.current_period_starts_at is None:
        return None
    days = (main.current_period_ends_at - main.current_period_starts_at) / 86_400_000
    return next((name for most, name in _PERIODS if days <= most), "lifetime")


def _counts(environment: str | None) -> bool:
    return environment != "sandbox"


def _only_sandbox(found: Found) -> bool:
    lines = _lines(found)
    return bool(lines) and not any(_counts(line.environment) for line in lines)


def _cents(found: Found) -> int:
    total = sum((_dollars(line.revenue) for line in _lines(found) if _counts(line.environment)), Decimal(0))
    return max(0, min(int((total * 100).to_integral_value()), _MOST_CENTS))


def _lines(found: Found) -> list[Subscription | Purchase]:
    return [*found.subscriptions, *found.purchases]


def _dollars(money: Money) -> Decimal:
    return Decimal(str(money.gross)) if money.gross is not None and isfinite(money.gross) else Decimal(0)


def _attributes(found: Found) -> dict[str, str]:
    given = {clean_text(a.name, _TEXT): clean_text(a.value, _TEXT) for a in found.attributes if a.value is not None}
    return dict(sorted(given.items())[:_MOST_ATTRIBUTES])


def _boundaries(found: Found, now: datetime) -> list[datetime]:
    ends = [active.expires_at for active in found.entitlements]
    ends += [subscription.current_period_ends_at for subscription in found.subscriptions]
    times = [time for end in ends if (time := time_of(end)) is not None and time > now]
    return [*times, now + LOOK_AGAIN]


def _name(names: Mapping[str, str], of: str) -> str:
    return clean_text(names.get(of, of), _TEXT)
