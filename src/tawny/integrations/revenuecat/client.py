"""RevenueCat's API (version 2), as far as a sync needs it: lists with all their pages, whatever they do."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from urllib.parse import parse_qs, quote, urlsplit

from pydantic import ValidationError

from tawny.integrations.pace import Pace
from tawny.integrations.revenuecat.shapes import (
    ActiveEntitlement,
    Attribute,
    Customer,
    Entitlement,
    Page,
    Product,
    Project,
    Purchase,
    Shape,
    Subscription,
)
from tawny.integrations.service import Missing, Rejected, Service, Unusable

LIMITS: Final = (100, 50, 20)
"""How many items a page is asked for; nobody documents how many may be."""

_NOBODY: Final = "tawny-asks-whether-it-may"

S = TypeVar("S", bound=Shape)


class Astray(Unusable):
    """A list points to a page that it has given before, or to none, or to another host: there is no way to its end."""

    def __init__(self, message: str) -> None:
        super().__init__(message, label="pages")


@dataclass(frozen=True, slots=True)
class Found:
    """All that is to know about a customer, under the id that was asked for."""

    app_user_id: str
    customer: Customer
    entitlements: tuple[ActiveEntitlement, ...]
    subscriptions: tuple[Subscription, ...]
    purchases: tuple[Purchase, ...]
    attributes: tuple[Attribute, ...]


@dataclass(slots=True)
class Client:
    """Each method raises CallFailed. `customers_pace` and `project_pace` are the two allowances that RevenueCat gives a key."""

    service: Service
    customers_pace: Pace
    project_pace: Pace
    _limits: list[int] = field(default_factory=lambda: list(LIMITS))

    async def projects(self) -> list[Project]:
        """The projects that the key may see."""
        return await self._all("/projects", self.project_pace, Project)

    async def entitlements(self, project: str) -> list[Entitlement]:
        return await self._all(f"{_project(project)}/entitlements", self.project_pace, Entitlement)

    async def products(self, project: str) -> list[Product]:
        return await self._all(f"{_project(project)}/products", self.project_pace, Product)

    async def next_customers(self, project: str, pages: Pages) -> list[Customer]:
        """The next page of the project's customers. Where there is no way on, `pages` is astray, and nothing is raised."""
        items = await self._next(f"{_project(project)}/customers", self.customers_pace, pages)
        return [_shaped(Customer, item) for item in items]

    async def customer(self, project: str, app_user_id: str) -> Found:
        """A customer with everything, in at least three calls, one after the other."""
        path, pace = f"{_project(project)}/customers/{_segment(app_user_id)}", self.customers_pace
        customer = _shaped(Customer, await self.service.get(path, pace, {"expand": "attributes"}))
        entitlements = await self._rest(f"{path}/active_entitlements", customer.active_entitlements, ActiveEntitlement)
        attributes = await self._rest(f"{path}/attributes", customer.attributes, Attribute)
        subscriptions = await self._all(f"{path}/subscriptions", pace, Subscription)
        purchases = await self._all(f"{path}/purchases", pace, Purchase)
        return Found(app_user_id, customer, tuple(entitlements), tuple(subscriptions), tuple(purchases), tuple(attributes))

    async def check(self, project: str) -> None:
        """Ask for one of everything that a sync asks for; Refused, which names it, for what the key may not do."""
        await self.entitlements(project)
        await self.products(project)
        await self.next_customers(project, Pages())
        path = f"{_project(project)}/customers/{_NOBODY}"
        for part in ("", "/subscriptions", "/purchases"):
            with suppress(Missing):
                await self.service.get(f"{path}{part}", self.customers_pace)

    async def _all(self, path: str, pace: Pace, shape: type[S]) -> list[S]:
        return [_shaped(shape, item) for item in await self._everything(path, pace, Pages())]

    async def _rest(self, path: str, first: Page | None, shape: type[S]) -> list[S]:
        """A list whose first page came with something else; all of it when nothing came."""
        pages = Pages()
        items = [] if first is None else pages.taken(first, self.service)
        items += await self._everything(path, self.customers_pace, pages)
        return [_shaped(shape, item) for item in items]

    async def _everything(self, path: str, pace: Pace, pages: Pages) -> list[dict[str, Any]]:
        """What is left of a list; Astray when there is no way to its end, because a part of it would be worse than nothing."""
        items: list[dict[str, Any]] = []
        while not pages.ended:
            items += await self._next(path, pace, pages)
        if pages.astray is not None:
            raise pages.astray
        return items

    async def _next(self, path: str, pace: Pace, pages: Pages) -> list[dict[str, Any]]:
        return pages.taken(_shaped(Page, await self._page(path, pace, pages.params())), self.service)

    async def _page(self, path: str, pace: Pace, params: Mapping[str, str]) -> Any:
        while True:
            try:
                return await self.service.get(path, pace, {**params, "limit": self._limits[0]})
            except Rejected as error:
                about_limit = error.param == "limit" or "limit" in error.message
                if not about_limit or len(self._limits) == 1:
                    raise
                self._limits.pop(0)  # for whatever this client asks from here on


@dataclass(slots=True)
class Pages:
    """The way through a list. `cursor` and `first` (of its first page) say where it is, and may be kept.

    When a page was taken, they say where the next one begins, or that there is none, or (`astray`) no way to it.
    """

    cursor: str | None = None
    first: str | None = None
    astray: Astray | None = None
    _last: bool = False
    _cursors: set[str] = field(default_factory=set)
    _firsts: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._cursors |= {self.cursor} if self.cursor is not None else set()
        self._firsts |= {self.first} if self.first is not None else set()

    @property
    def ended(self) -> bool:
        return self._last or self.astray is not None

    def params(self) -> dict[str, str]:
        return {} if self.cursor is None else {"starting_after": self.cursor}

    def taken(self, page: Page, service: Service) -> list[dict[str, Any]]:
        """The items of this page; from here on the way leads to the next one, if there is one that was not there already."""
        first = _name_of(page.items[0]) if page.items else None
        if first is not None and first in self._firsts:
            # An unknown cursor is answered with the first page.
            self.astray = Astray("RevenueCat gave a page of a list a second time, so that the list was left.")
            return []
        if first is not None:
            self.first = self.first or first
            self._firsts.add(first)
        try:
            self._turn(page.next_page, str(service.http.base_url))
        except Astray as error:
            self.astray = error
        return page.items

    def _turn(self, next_page: str | None, base: str) -> None:
        if not next_page:
            self._last = True
            return
        cursor = cursor_of(next_page, base)
        if cursor in self._cursors:
            raise Astray("RevenueCat pointed to a page of a list that was read already, so that the list was left.")
        self.cursor = cursor
        self._cursors.add(cursor)


def cursor_of(next_page: str, base: str) -> str:
    """The cursor in the address of a next page. Only that is used of it: a key never goes where an answer points to."""
    try:
        parts, home = urlsplit(next_page), urlsplit(base)
        elsewhere = bool(parts.netloc or parts.scheme) and (parts.scheme or home.scheme, parts.netloc) != (
            home.scheme,
            home.netloc,
        )
        cursors = parse_qs(parts.query, keep_blank_values=False).get("starting_after", [])
    except ValueError:
        elsewhere, cursors = False, []
    if elsewhere:
        raise Astray("RevenueCat pointed to a page on another host, which was not followed.")
    if len(cursors) != 1:
        raise Astray("RevenueCat pointed to a next page without saying where it begins.")
    return cursors[0]


def _name_of(item: Mapping[str, Any]) -> str | None:
    name = item.get("id") or item.get("name") or item.get("entitlement_id")
    return name if isinstance(name, str) else None


def _project(project: str) -> str:
    return f"/projects/{_segment(project)}"


def _segment(text: str) -> str:
    """A part of a path, whatever is in it. One that is all dots would mean another place."""
    encoded = quote(text, safe="")
    return encoded.replace(".", "%2E") if not text.strip(".") else encoded


def _shaped(shape: type[S], value: Any) -> S:
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_input=False, include_url=False)[0]["loc"])
        name = shape.__name__.lower()
        raise Unusable(
            f"RevenueCat answered with a {name} of another shape ({where or 'all of it'}).", label="bad_shape"
        ) from None
