"""The objects that RevenueCat sends, as dicts. Every field that its description requires is there; `changes` replace or add."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

Json = dict[str, Any]

DAY: Final = 86_400_000
"""In milliseconds, as all times are."""

COMMISSION: Final = 0.15


def money(gross: float) -> Json:
    """US dollars."""
    commission = round(gross * COMMISSION, 2)
    return {"currency": "USD", "gross": gross, "commission": commission, "tax": 0.0, "proceeds": round(gross - commission, 2)}


def listed(items: Sequence[Any], url: str, next_page: str | None = None) -> Json:
    """The envelope of every list."""
    return {"object": "list", "items": list(items), "next_page": next_page, "url": url}


def project(project_id: str, number: int, created_at: int) -> Json:
    return {"object": "project", "id": project_id, "name": f"Project {number}", "created_at": created_at, "icon_url": None}


def entitlement(project_id: str, entitlement_id: str, lookup_key: str, created_at: int) -> Json:
    return {
        "object": "entitlement",
        "project_id": project_id,
        "id": entitlement_id,
        "lookup_key": lookup_key,
        "display_name": lookup_key.replace("_", " ").title(),
        "created_at": created_at,
        "state": "active",
        "products": None,
    }


def product(product_id: str, store_identifier: str, kind: str, created_at: int, duration: str | None) -> Json:
    """`duration` is that of a subscription, in ISO 8601."""
    periods = {"duration": duration, "grace_period_duration": "P3D", "trial_duration": "P1W"}
    return {
        "object": "product",
        "id": product_id,
        "store_identifier": store_identifier,
        "type": kind,
        "app_id": "app1a2b3c",
        "display_name": store_identifier.rpartition(".")[2],
        "created_at": created_at,
        "state": "active",
        "subscription": periods if duration else None,
        "one_time": None if duration else {"is_consumable": kind == "consumable"},
    }


def active_entitlement(entitlement_id: str, expires_at: int | None) -> Json:
    """`expires_at` None: for life."""
    return {"object": "customer.active_entitlement", "entitlement_id": entitlement_id, "expires_at": expires_at}


def attribute(name: str, value: str | None, updated_at: int) -> Json:
    return {"object": "customer.attribute", "name": name, "value": value, "updated_at": updated_at}


def alias(alias_id: str, created_at: int) -> Json:
    return {"object": "customer.alias", "id": alias_id, "created_at": created_at}


def subscription(
    customer_id: str,
    subscription_id: str,
    product_id: str | None,
    *,
    starts_at: int,
    period_ends_at: int | None,
    gross: float = 0.0,
    entitlements: Sequence[Mapping[str, Any]] = (),
    **changes: Any,
) -> Json:
    """One that gives access and will renew, in its first period, unless `changes` say else."""
    return {
        "object": "subscription",
        "id": subscription_id,
        "customer_id": customer_id,
        "original_customer_id": customer_id,
        "product_id": product_id,
        "starts_at": starts_at,
        "current_period_starts_at": starts_at,
        "current_period_ends_at": period_ends_at,
        "ends_at": None,
        "gives_access": True,
        "pending_payment": False,
        "auto_renewal_status": "will_renew",
        "status": "active",
        "total_revenue_in_usd": money(gross),
        "presented_offering_id": None,
        "entitlements": listed(entitlements, f"/v2/subscriptions/{subscription_id}/entitlements"),
        "environment": "production",
        "store": "app_store",
        "store_subscription_identifier": f"4{subscription_id}",
        "ownership": "purchased",
        "pending_changes": None,
        "country": "DE",
        "management_url": "https://apps.example.org/account/subscriptions",
    } | changes


def purchase(
    customer_id: str,
    purchase_id: str,
    product_id: str,
    *,
    purchased_at: int,
    gross: float = 0.0,
    entitlements: Sequence[Mapping[str, Any]] = (),
    **changes: Any,
) -> Json:
    """One that is owned."""
    return {
        "object": "purchase",
        "id": purchase_id,
        "customer_id": customer_id,
        "original_customer_id": customer_id,
        "product_id": product_id,
        "purchased_at": purchased_at,
        "revenue_in_usd": money(gross),
        "quantity": 1,
        "status": "owned",
        "presented_offering_id": None,
        "entitlements": listed(entitlements, f"/v2/purchases/{purchase_id}/entitlements"),
        "environment": "production",
        "store": "app_store",
        "store_purchase_identifier": f"2{purchase_id}",
        "ownership": "purchased",
        "country": "DE",
    } | changes
