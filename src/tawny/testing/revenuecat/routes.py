"""The ten routes: which path is which, what a key needs for it, and which rate limit counts it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import parse_qsl, unquote

Domain = Literal["customer_information", "project_configuration"]
Route = Literal[
    "projects",
    "entitlements",
    "products",
    "customers",
    "customer",
    "active_entitlements",
    "subscriptions",
    "purchases",
    "attributes",
    "aliases",
]

_CUSTOMERS: Final = "customer_information:customers:read"

SCOPES: Final[Mapping[Route, str]] = {
    "projects": "project_configuration:projects:read",
    "entitlements": "project_configuration:entitlements:read",
    "products": "project_configuration:products:read",
    "customers": _CUSTOMERS,
    "customer": _CUSTOMERS,
    "active_entitlements": _CUSTOMERS,
    "subscriptions": "customer_information:subscriptions:read",
    "purchases": "customer_information:purchases:read",
    "attributes": _CUSTOMERS,
    "aliases": _CUSTOMERS,
}
"""What a key has to be allowed."""

_OF_PROJECTS: Final[Mapping[str, Route]] = {"entitlements": "entitlements", "products": "products", "customers": "customers"}
_OF_CUSTOMERS: Final[Mapping[str, Route]] = {
    name: name for name in ("active_entitlements", "subscriptions", "purchases", "attributes", "aliases")
}


@dataclass(frozen=True, slots=True)
class Call:
    """A request that meets a route. `path` is as it was sent, percent-encoded; the rest is decoded."""

    route: Route
    path: str
    query: Mapping[str, str]
    project_id: str = ""
    customer_id: str = ""

    @property
    def domain(self) -> Domain:
        return "project_configuration" if SCOPES[self.route].startswith("project_") else "customer_information"


def match(target: str) -> Call | None:
    """The call that a request's target means; None where there is no such route."""
    path, _, query_text = target.partition("?")
    query = dict(parse_qsl(query_text, keep_blank_values=True))
    match [unquote(part) for part in path.split("/")]:
        case ["", "v2", "projects"]:
            return Call("projects", path, query)
        case ["", "v2", "projects", project_id, of] if of in _OF_PROJECTS:
            return Call(_OF_PROJECTS[of], path, query, project_id)
        case ["", "v2", "projects", project_id, "customers", customer_id]:
            return Call("customer", path, query, project_id, customer_id)
        case ["", "v2", "projects", project_id, "customers", customer_id, of] if of in _OF_CUSTOMERS:
            return Call(_OF_CUSTOMERS[of], path, query, project_id, customer_id)
    return None
