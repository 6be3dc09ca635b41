"""What RevenueCat's API (version 2) answers with, as far as it is used. Unknown fields and words are no errors; times are ms."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

ANONYMOUS = "$RCAnonymousID:"
"""How the ids of customers begin who have not signed in to the app."""


class Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=False)


class Page(Shape):
    """A part of a list. `next_page` may be absent, null, a path or a whole address."""

    items: list[dict[str, Any]] = []
    next_page: str | None = None


class Project(Shape):
    id: str
    name: str = ""


class Entitlement(Shape):
    id: str
    lookup_key: str


class Product(Shape):
    id: str
    store_identifier: str


class Customer(Shape):
    id: str
    last_seen_at: int | None = None
    active_entitlements: Page | None = None
    attributes: Page | None = None


class ActiveEntitlement(Shape):
    entitlement_id: str
    expires_at: int | None = None


class Attribute(Shape):
    name: str
    value: str | None = None


def _or_nothing(value: Any) -> Any:
    return {} if value is None else value


class Money(Shape):
    """In US dollars, refunds taken off."""

    gross: float | None = None


MaybeMoney = Annotated[Money, BeforeValidator(_or_nothing)]


class Subscription(Shape):
    """`status`, `auto_renewal_status` and `store` may be words that are not known yet; `gives_access` decides about access."""

    id: str
    product_id: str | None = None
    starts_at: int | None = None
    current_period_starts_at: int | None = None
    current_period_ends_at: int | None = None
    gives_access: bool = False
    auto_renewal_status: str | None = None
    status: str | None = None
    environment: str | None = None
    store: str | None = None
    revenue: MaybeMoney = Field(default=Money(), alias="total_revenue_in_usd")


class Purchase(Shape):
    id: str
    product_id: str | None = None
    purchased_at: int | None = None
    status: str | None = None
    environment: str | None = None
    revenue: MaybeMoney = Field(default=Money(), alias="revenue_in_usd")
