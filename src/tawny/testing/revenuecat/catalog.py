"""What a project sells: its entitlements and products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tawny.testing.revenuecat import wire
from tawny.testing.revenuecat.wire import DAY, Json

_NAMES: Final = ("pro", "premium", "family", "offline", "team")

DURATIONS: Final = {"P1W": 7, "P1M": 30, "P3M": 91, "P6M": 182, "P1Y": 365}
"""Of subscriptions: ISO 8601, and days."""

_PRICES: Final = {"P1W": 2.99, "P1M": 9.99, "P3M": 24.99, "P6M": 44.99, "P1Y": 79.99, None: 4.99}


@dataclass(frozen=True, slots=True)
class Product:
    """What is sent of it, what it costs, and which entitlement it gives (None: none)."""

    sent: Json
    entitlement: Json | None

    @property
    def id(self) -> str:
        product_id: str = self.sent["id"]
        return product_id

    @property
    def duration(self) -> str | None:
        periods = self.sent["subscription"]
        return periods["duration"] if periods else None

    @property
    def price(self) -> float:
        return _PRICES[self.duration]


class Catalog:
    """All of them; of ten products, six are subscriptions, three are used up, and one is for life."""

    def __init__(self, project_id: str, now: int, *, entitlements: int, products: int) -> None:
        self._created_at = now - 900 * DAY
        names = [_NAMES[n] if n < len(_NAMES) else f"feature_{n}" for n in range(entitlements)]
        self.entitlements = [wire.entitlement(project_id, f"entl{n:08x}", name, self._created_at) for n, name in enumerate(names)]
        self.products = [self._product(n) for n in range(products)]
        self.subscriptions = [product for product in self.products if product.duration]
        self.consumables = [product for product in self.products if product.sent["type"] == "consumable"]
        self.lifetimes = [product for product in self.products if product.sent["type"] == "non_consumable"]

    @property
    def lookup_keys(self) -> dict[str, str]:
        """By the id of each entitlement."""
        return {entitlement["id"]: entitlement["lookup_key"] for entitlement in self.entitlements}

    @property
    def store_identifiers(self) -> dict[str, str]:
        """By the id of each product."""
        return {product.id: product.sent["store_identifier"] for product in self.products}

    def _product(self, number: int) -> Product:
        kind = "subscription" if number % 10 < 6 else "consumable" if number % 10 < 9 else "non_consumable"
        duration = list(DURATIONS)[number % len(DURATIONS)] if kind == "subscription" else None
        sent = wire.product(f"prod{number:08x}", f"org.example.app.{kind}_{number}", kind, self._created_at, duration)
        return Product(sent, None if kind == "consumable" else self.entitlements[number % len(self.entitlements)])
