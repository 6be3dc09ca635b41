"""One customer, made anew from its number whenever somebody asks for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from tawny.testing.revenuecat import wire
from tawny.testing.revenuecat.catalog import DURATIONS, Catalog, Product
from tawny.testing.revenuecat.ids import aliases_of, id_of
from tawny.testing.revenuecat.shape import Shape
from tawny.testing.revenuecat.wire import DAY, Json

_OVER: Final = ("expired", "will_not_renew", False)
_UNHEARD_OF: Final = ("half_frozen", "will_melt", True)
_UNHEARD_OF_STORE: Final = "galaxy_store"
_STATUSES: Final = (
    ("active", "will_renew", True),
    ("active", "will_renew", True),
    ("active", "will_not_renew", True),
    ("trialing", "will_renew", True),
    ("trialing", "will_not_renew", True),
    ("in_grace_period", "will_renew", True),
    ("in_billing_retry", "will_renew", False),
    ("paused", "will_pause", False),
    _OVER,
    _OVER,
)
_RESERVED: Final = ("$email", "$mediaSource", "$campaign", "$adGroup", "$keyword", "$displayName")
_AHEAD: Final = 2
"""Days from the model's time to the next end of a period, at least: what is not over stays so while a test runs."""


@dataclass(slots=True)
class Customer:
    """All that is known of a customer, as it is sent. `sent` has the fields of the customer object besides id and lists."""

    id: str
    aliases: list[str] = field(default_factory=list)
    sent: Json = field(default_factory=dict)
    subscriptions: list[Json] = field(default_factory=list)
    purchases: list[Json] = field(default_factory=list)
    attributes: list[Json] = field(default_factory=list)
    active_entitlements: list[Json] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes customers of one model."""

    seed: int
    now: int
    catalog: Catalog

    def head(self, index: int, shape: Shape) -> Customer:
        """The customer without its lists, which is all that a listing shows."""
        chance = self._chance("head", index)
        seen = self.now - chance.randrange(30 * DAY)
        sent: Json = {
            "first_seen_at": seen - chance.randrange(900 * DAY),
            "last_seen_at": None if shape.never_seen else seen,
            "last_seen_app_version": "3.1.4",
            "last_seen_country": chance.choice(("DE", "US", "JP", "BR")),
            "last_seen_platform": chance.choice(("iOS", "android")),
            "last_seen_platform_version": None,
            "experiment": None,
        }
        if shape.unheard_of:
            sent["favourite_colour"] = {"object": "colour", "name": "ultraviolet"}
        return Customer(
            id_of(shape.id_kind, self.seed, index), aliases=list(aliases_of(self.seed, index, shape.aliases)), sent=sent
        )

    def whole(self, index: int, shape: Shape) -> Customer:
        """The customer with everything."""
        customer = self.head(index, shape)
        chance = self._chance("whole", index)
        for number in range(shape.subscriptions):
            customer.subscriptions.append(self._subscription(chance, customer.id, f"sub{index:x}x{number}", number, shape))
        for number in range(shape.purchases):
            customer.purchases.append(self._purchase(chance, customer.id, f"purch{index:x}x{number}", number, shape))
        customer.attributes = list(self._attributes(index, shape.attributes))
        customer.active_entitlements = self._active(customer, shape)
        return customer

    def _chance(self, of: str, index: int) -> Random:
        return Random(f"{of}/{self.seed}/{index}")  # noqa: S311  (a model, not a secret)

    def _subscription(self, chance: Random, customer_id: str, id_: str, number: int, shape: Shape) -> Json:
        if number == 0 and shape.promotional:
            return self._given(customer_id, id_)
        product = chance.choice(self.catalog.subscriptions)
        days = DURATIONS[product.duration or ""]
        status, renewal, access = chance.choice(_STATUSES) if number == 0 else _OVER
        if shape.unheard_of:
            status, renewal, access = _UNHEARD_OF
        over = status == "expired"
        begin = self.now - (chance.randint(days, 900) if over else chance.randint(0, days - _AHEAD)) * DAY
        end = begin + days * DAY
        return wire.subscription(
            customer_id,
            id_,
            product.id,
            starts_at=begin,
            period_ends_at=end,
            gross=0.0 if status == "trialing" else round(product.price * chance.randint(1, 12), 2),
            entitlements=_of(product),
            status=status,
            auto_renewal_status=renewal,
            gives_access=access,
            ends_at=end if over else None,
            environment=_environment(shape, number),
            **({"store": _UNHEARD_OF_STORE, "seat_count": 3} if shape.unheard_of else {}),
        )

    def _given(self, customer_id: str, id_: str) -> Json:
        promotional: dict[str, Any] = {"store": "promotional", "auto_renewal_status": "will_not_renew", "management_url": None}
        return wire.subscription(
            customer_id,
            id_,
            None,
            starts_at=self.now - 10 * DAY,
            period_ends_at=None,
            entitlements=self.catalog.entitlements[:1],
            store_subscription_identifier=None,
            total_revenue_in_usd=None,
            **promotional,
        )

    def _purchase(self, chance: Random, customer_id: str, id_: str, number: int, shape: Shape) -> Json:
        product = chance.choice(self.catalog.lifetimes if number == 0 and shape.lifetime else self.catalog.consumables)
        quantity, refunded = chance.randint(1, 3), not shape.lifetime and chance.random() < 0.1
        return wire.purchase(
            customer_id,
            id_,
            product.id,
            purchased_at=self.now - chance.randrange(900 * DAY),
            gross=0.0 if refunded else round(product.price * quantity, 2),
            entitlements=_of(product),
            quantity=quantity,
            status="refunded" if refunded else "owned",
            environment=_environment(shape, number),
            store=_UNHEARD_OF_STORE if shape.unheard_of else "play_store",
        )

    def _attributes(self, index: int, count: int) -> list[Json]:
        values = {"$email": f"person{index}@example.org", "$displayName": f"Persön {index}"}
        names = (*_RESERVED, *(f"setting {number}/%" for number in range(count)))[:count]
        return [wire.attribute(name, values.get(name, f"value of {name}"), self.now - 5 * DAY) for name in names]

    def _active(self, customer: Customer, shape: Shape) -> list[Json]:
        """By entitlement, the latest end; for life wins."""
        ends: dict[str, int | None] = {}
        if shape.all_entitlements:
            ends = {entitlement["id"]: self.now + 30 * DAY for entitlement in self.catalog.entitlements}
        for line in customer.subscriptions + customer.purchases:
            if line.get("gives_access", line["status"] == "owned"):
                for entitlement in line["entitlements"]["items"]:
                    ends[entitlement["id"]] = _later(ends.get(entitlement["id"], 0), line.get("current_period_ends_at"))
        return [wire.active_entitlement(entitlement_id, end) for entitlement_id, end in ends.items()]


def _environment(shape: Shape, number: int) -> str:
    return "sandbox" if shape.sandbox == "only" or (shape.sandbox == "some" and number % 2) else "production"


def _of(product: Product) -> list[Json]:
    return [product.entitlement] if product.entitlement else []


def _later(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else max(one, other)
