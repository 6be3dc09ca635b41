"""What a correct sync knows of a customer afterwards, worked out from the model and not from what was sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from tawny.testing.revenuecat.catalog import Catalog
from tawny.testing.revenuecat.customer import Customer
from tawny.testing.revenuecat.ids import ANONYMOUS
from tawny.testing.revenuecat.wire import Json


@dataclass(frozen=True, slots=True)
class SubscriptionTruth:
    """One subscription. `product` is the store's identifier; null where it was given and not bought."""

    id: str
    status: str
    auto_renewal_status: str
    gives_access: bool
    environment: str
    store: str
    product: str | None
    starts_at: int
    current_period_ends_at: int | None


@dataclass(frozen=True, slots=True)
class Truth:
    """A customer. `customer_id` is the one that its aliases lead to; all lists are whole, whatever pages they came on."""

    customer_id: str
    anonymous: bool
    aliases: tuple[str, ...]
    first_seen_at: int
    last_seen_at: int | None
    entitlements: tuple[str, ...]
    """The lookup keys of those that are active, sorted."""
    revenue_usd: Decimal
    """Gross, of subscriptions and purchases, without those of the sandbox; exact to the cent."""
    subscriptions: tuple[SubscriptionTruth, ...]
    purchases: int
    attributes: Mapping[str, str | None]

    @property
    def revenue_usd_cents(self) -> int:
        return int(self.revenue_usd * 100)

    @property
    def gives_access(self) -> bool:
        """Whether any subscription does, in the sandbox or not."""
        return any(subscription.gives_access for subscription in self.subscriptions)

    @property
    def production(self) -> tuple[SubscriptionTruth, ...]:
        """The subscriptions that are not of the sandbox."""
        return tuple(subscription for subscription in self.subscriptions if subscription.environment == "production")


def truth_of(customer: Customer, catalog: Catalog) -> Truth:
    """What is true of this customer."""
    lookup_keys, products = catalog.lookup_keys, catalog.store_identifiers
    active = [entitlement["entitlement_id"] for entitlement in customer.active_entitlements]
    return Truth(
        customer_id=customer.id,
        anonymous=customer.id.startswith(ANONYMOUS),
        aliases=tuple(customer.aliases),
        first_seen_at=customer.sent["first_seen_at"],
        last_seen_at=customer.sent["last_seen_at"],
        entitlements=tuple(sorted(lookup_keys.get(entitlement_id, entitlement_id) for entitlement_id in active)),
        revenue_usd=sum(map(_revenue, customer.subscriptions + customer.purchases), Decimal("0.00")),
        subscriptions=tuple(_subscription(line, products) for line in customer.subscriptions),
        purchases=len(customer.purchases),
        attributes={attribute["name"]: attribute["value"] for attribute in customer.attributes},
    )


def _revenue(line: Json) -> Decimal:
    money = line.get("total_revenue_in_usd") or line.get("revenue_in_usd")
    if not money or line["environment"] != "production":
        return Decimal(0)
    return Decimal(str(money["gross"]))


def _subscription(line: Json, products: Mapping[str, str]) -> SubscriptionTruth:
    product_id = line["product_id"]
    return SubscriptionTruth(
        id=line["id"],
        status=line["status"],
        auto_renewal_status=line["auto_renewal_status"],
        gives_access=line["gives_access"],
        environment=line["environment"],
        store=line["store"],
        product=None if product_id is None else products.get(product_id, product_id),
        starts_at=line["starts_at"],
        current_period_ends_at=line["current_period_ends_at"],
    )
