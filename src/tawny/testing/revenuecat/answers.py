"""What the ten routes answer when nothing is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tawny.testing.revenuecat import wire
from tawny.testing.revenuecat.catalog import Catalog
from tawny.testing.revenuecat.ids import index_of
from tawny.testing.revenuecat.key import PROJECT, Key
from tawny.testing.revenuecat.pages import Pager
from tawny.testing.revenuecat.people import People
from tawny.testing.revenuecat.routes import Call, Route
from tawny.testing.revenuecat.wire import Json


class Missing(Exception):
    """There is no such thing."""


def _id(item: Json) -> str:
    text: str = item["id"]
    return text


def _name(item: Json) -> str:
    text: str = item["name"]
    return text


def _entitlement_id(item: Json) -> str:
    text: str = item["entitlement_id"]
    return text


_LISTS: Final[dict[Route, Callable[[Json], str]]] = {
    "active_entitlements": _entitlement_id,
    "subscriptions": _id,
    "purchases": _id,
    "attributes": _name,
}
"""The lists of a customer, and what a cursor of each names."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The objects of one model, as a key may see them."""

    people: People
    catalog: Catalog
    now: int

    def to(self, call: Call, key: Key, pager: Pager) -> Json:
        """The body for a call. Missing for a project or customer that is not there, LimitRefused for a wrong `limit`."""
        if call.route == "projects":
            return pager.page_of([wire.project(id_, n, self.now) for n, id_ in enumerate(key.projects, 1)], _id)
        if call.project_id not in key.projects:
            raise Missing("project")
        if call.customer_id:
            return self._of_customer(call, pager)
        return self._of_project(call, pager)

    def _of_project(self, call: Call, pager: Pager) -> Json:
        if call.route == "customers":
            return self._customers(call, pager)
        if call.project_id != PROJECT:
            return pager.page_of([], _id)
        if call.route == "entitlements":
            return pager.page_of(self._entitlements(call), _id)
        products = [product.sent for product in self.catalog.products]
        return pager.page_of([sent for sent in products if sent["app_id"] == call.query.get("app_id", sent["app_id"])], _id)

    def _entitlements(self, call: Call) -> Sequence[Json]:
        entitlements = self.catalog.entitlements
        if call.query.get("expand") != "items.product":
            return entitlements
        return [entitlement | {"products": self._products_of(entitlement)} for entitlement in entitlements]

    def _products_of(self, entitlement: Json) -> Json:
        products = [product.sent for product in self.catalog.products if product.entitlement is entitlement]
        return wire.listed(products, f"/v2/projects/{PROJECT}/entitlements/{entitlement['id']}/products")

    def _customers(self, call: Call, pager: Pager) -> Json:
        people = self.people

        def shown(index: int) -> Json:
            return people.summary(index) | {"project_id": call.project_id}

        return pager.page(self._listing(call, pager), lambda index: _id(people.summary(index)), shown)

    def _listing(self, call: Call, pager: Pager) -> Iterable[int]:
        if call.project_id != PROJECT:
            return ()
        if "search" in call.query:
            return self._with_email(call.query["search"])
        return self.people.after(None if pager.cursor is None else self.people.place(pager.cursor))

    def _with_email(self, email: str) -> Iterable[int]:
        index = index_of(email)
        if index is None or not self.people.has(index):
            return ()
        has_it = any(attribute["value"] == email for attribute in self.people.whole(index).attributes)
        return (index,) if has_it else ()

    def _of_customer(self, call: Call, pager: Pager) -> Json:
        index = self.people.resolve(call.customer_id) if call.project_id == PROJECT else None
        if index is None:
            raise Missing("customer")
        if call.route == "customer":
            return self._customer(call, pager, index)
        if call.route == "aliases":
            created_at = self.people.whole(index).sent["first_seen_at"]
            return pager.page_of([wire.alias(alias, created_at) for alias in self.people.whole(index).aliases], _id)
        lines: list[Any] = getattr(self.people.whole(index), call.route)
        environment = call.query.get("environment")
        if environment and call.route in ("subscriptions", "purchases"):
            lines = [line for line in lines if line["environment"] == environment]
        return pager.page_of(lines, _LISTS[call.route])

    def _customer(self, call: Call, pager: Pager, index: int) -> Json:
        customer = self.people.whole(index)
        body = self.people.summary(index) | {"project_id": call.project_id}
        active = customer.active_entitlements
        body["active_entitlements"] = pager.embedded(active, _entitlement_id, "active_entitlements")
        if call.query.get("expand") == "attributes":
            body["attributes"] = pager.embedded(customer.attributes, _name, "attributes")
        return body
