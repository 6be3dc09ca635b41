"""The fake RevenueCat answers as its description says: routes, shapes, pages, keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from tests.testing.caller import Caller, path_of

from tawny.testing.revenuecat import ALL_SCOPES, SCOPES, FakeRevenueCat, Key, Options

NOW = 1_790_000_000_000


@pytest.fixture
async def fake() -> AsyncIterator[FakeRevenueCat]:
    async with FakeRevenueCat(Options(customers=60, now=NOW)) as fake:
        yield fake


@pytest.fixture
async def caller(fake: FakeRevenueCat) -> AsyncIterator[Caller]:
    async with Caller(fake) as caller:
        yield caller


SHAPES = {
    "project": {"object", "id", "name", "created_at"},
    "entitlement": {"object", "project_id", "id", "lookup_key", "display_name", "created_at"},
    "product": {"object", "id", "store_identifier", "type", "app_id", "display_name", "created_at"},
    "customer": {
        *("object", "id", "project_id", "first_seen_at", "last_seen_at", "last_seen_app_version", "last_seen_country"),
        *("last_seen_platform", "last_seen_platform_version"),
    },
    "customer.active_entitlement": {"object", "entitlement_id", "expires_at"},
    "customer.attribute": {"object", "name", "value", "updated_at"},
    "customer.alias": {"object", "id", "created_at"},
    "subscription": {
        *("object", "id", "customer_id", "original_customer_id", "product_id", "starts_at", "current_period_starts_at"),
        *("current_period_ends_at", "ends_at", "gives_access", "pending_payment", "auto_renewal_status", "status"),
        *("total_revenue_in_usd", "presented_offering_id", "entitlements", "environment", "store", "ownership"),
        *("store_subscription_identifier", "management_url"),
    },
    "purchase": {
        *("object", "id", "customer_id", "original_customer_id", "product_id", "purchased_at", "revenue_in_usd", "quantity"),
        *("status", "presented_offering_id", "entitlements", "environment", "store", "store_purchase_identifier", "ownership"),
    },
}
"""By kind of object: the fields that the description requires."""


def is_whole(item: dict[str, Any]) -> bool:
    return SHAPES[item["object"]] <= item.keys()


# Routes and shapes


@pytest.mark.parametrize("path", ["/v2/projects", "entitlements", "products", "customers"])
async def test_lists_of_a_project_have_the_envelope_and_whole_items(caller: Caller, path: str) -> None:
    page = await caller.json(path)
    assert (page["object"], page["url"]) == ("list", path if path.startswith("/") else f"/v2/projects/projfa4e0001/{path}")
    assert page["items"]
    assert all(is_whole(item) for item in page["items"])


@pytest.mark.parametrize("of", ["active_entitlements", "subscriptions", "purchases", "attributes", "aliases"])
async def test_lists_of_a_customer_have_the_envelope_and_whole_items(caller: Caller, fake: FakeRevenueCat, of: str) -> None:
    found = []
    for customer_id in fake.customer_ids()[:24]:
        page = await caller.json(path_of(customer_id, of))
        assert page["object"] == "list"
        found += page["items"]
    assert found
    assert all(is_whole(item) for item in found)


async def test_a_customer_brings_its_active_entitlements_and_its_attributes_when_asked(caller: Caller) -> None:
    plain = await caller.json("customers/user-0")
    assert is_whole(plain)
    assert plain["active_entitlements"]["object"] == "list"
    assert "attributes" not in plain
    expanded = await caller.json("customers/user-0", expand="attributes")
    assert [item["name"] for item in expanded["attributes"]["items"]] == ["$email", "$mediaSource", "$campaign"]
    assert "active_entitlements" not in (await caller.json("customers"))["items"][0]


async def test_an_embedded_list_goes_on_at_its_own_address(caller: Caller, fake: FakeRevenueCat) -> None:
    many = next(id_ for id_ in fake.customer_ids() if len(fake.truth(id_).attributes) > 20)
    embedded = (await caller.json(path_of(many), expand="attributes"))["attributes"]
    rest = await caller.items(embedded["next_page"])
    assert len(embedded["items"]) == 20
    assert {item["name"] for item in embedded["items"] + rest} == set(fake.truth(many).attributes)

    entitled = next(id_ for id_ in fake.customer_ids() if len(fake.truth(id_).entitlements) > 20)
    embedded = (await caller.json(path_of(entitled)))["active_entitlements"]
    assert len(embedded["items"] + await caller.items(embedded["next_page"])) == len(fake.truth(entitled).entitlements) == 24


async def test_expansions_and_filters(caller: Caller, fake: FakeRevenueCat) -> None:
    entitlement = (await caller.json("entitlements", expand="items.product"))["items"][0]
    assert entitlement["products"]["items"][0]["object"] == "product"
    assert (await caller.json("products", app_id="another"))["items"] == []
    found = await caller.json("customers", search="person7@example.org")
    assert [item["id"] for item in found["items"]] == ["person7@example.org"]
    assert (await caller.json("customers", search="nobody@example.org"))["items"] == []
    mixed = next(id_ for id_ in fake.customer_ids() if len({line.environment for line in fake.truth(id_).subscriptions}) == 2)
    sandbox = await caller.json(path_of(mixed, "subscriptions"), environment="sandbox")
    assert {item["environment"] for item in sandbox["items"]} == {"sandbox"}


async def test_every_customer_is_reached_by_its_encoded_id(caller: Caller, fake: FakeRevenueCat) -> None:
    ids = fake.customer_ids()
    assert len(set(ids)) == 60
    for customer_id in ids:
        assert (await caller.json(path_of(customer_id)))["id"] == customer_id


async def test_an_alias_leads_to_its_customer(caller: Caller, fake: FakeRevenueCat) -> None:
    customer_id = next(id_ for id_ in fake.customer_ids() if len(fake.truth(id_).aliases) == 3)
    listed = [item["id"] for item in await caller.items(path_of(customer_id, "aliases"))]
    assert listed == list(fake.truth(customer_id).aliases)
    for alias in listed:
        assert (await caller.json(path_of(alias)))["id"] == customer_id
        assert fake.truth(alias) == fake.truth(customer_id)
    assert not set(listed) & set(fake.customer_ids())


@pytest.mark.parametrize(
    "path",
    [
        "/v2/projects/proj_of_others/customers",
        "customers/nobody",
        "customers/other-0",
        "customers/user-9999999999",
        "/v1/subscribers/user-0",
        "/",
    ],
)
async def test_what_is_not_there_is_404(caller: Caller, path: str) -> None:
    answer = await caller.get(path)
    assert answer.status_code == 404
    assert (answer.json()["type"], answer.json()["retryable"]) == ("resource_missing", False)


# Pages


async def test_pages_have_twenty_items_unless_asked_otherwise(caller: Caller) -> None:
    assert [len(page["items"]) async for page in caller.pages("products")] == [20, 20, 5]
    assert [len(page["items"]) async for page in caller.pages("products", limit=15)] == [15, 15, 15]
    assert [len(page["items"]) async for page in caller.pages("customers", limit=1000)] == [60]
    assert [len(page["items"]) async for page in caller.pages("customers", limit=60)] == [60]


@pytest.mark.parametrize("limit", [1, 7, 20])
async def test_pages_bring_everything_once(caller: Caller, fake: FakeRevenueCat, limit: int) -> None:
    assert [item["id"] for item in await caller.items("customers", limit=limit)] == fake.customer_ids()
    heavy = next(id_ for id_ in fake.customer_ids() if fake.truth(id_).purchases == 45)
    assert len({item["id"] for item in await caller.items(path_of(heavy, "purchases"), limit=limit)}) == 45


async def test_a_cursor_is_percent_encoded_and_twice_encoded_it_is_the_first_page_again(caller: Caller) -> None:
    """The trap behind endless listings: who encodes again what is encoded asks for a customer that nobody is."""
    first = await caller.json("customers", limit=9)
    assert first["items"][-1]["id"].startswith("$RCAnonymousID:")
    assert "%24RCAnonymousID%3A" in first["next_page"]
    encoded = first["next_page"].partition("starting_after=")[2]
    again = await caller.json("customers", limit=9, starting_after=encoded)
    assert again["items"] == first["items"]
    cursor = first["items"][-1]["id"]
    assert (await caller.json("customers", limit=9, starting_after=cursor))["items"][0] != first["items"][0]


@pytest.mark.parametrize("limit", ["0", "-1", "many", ""])
async def test_a_limit_that_is_none_is_400(caller: Caller, limit: str) -> None:
    answer = await caller.get("customers", limit=limit)
    assert (answer.status_code, answer.json()["type"], answer.json()["param"]) == (400, "parameter_error", "limit")


# Keys


@pytest.mark.parametrize(
    "header", [None, "sk_fakeFakeFakeFakeFakeFake", "Bearer", "Bearer sk_another", "Token sk_fakeFakeFakeFakeFakeFake"]
)
async def test_without_its_key_all_is_401(fake: FakeRevenueCat, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    async with httpx.AsyncClient(trust_env=False, verify=False) as http:
        answer = await http.get(f"{fake.url}/projects", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (401, "authentication_error")


@pytest.mark.parametrize("route", sorted(SCOPES))
async def test_a_key_without_the_scope_is_403_on_its_routes_alone(route: Any) -> None:
    async with FakeRevenueCat(Options(customers=3), key=Key().without(SCOPES[route])) as fake, Caller(fake) as caller:
        for other in SCOPES:
            answer = await caller.get(_path(other))
            assert answer.status_code == (403 if SCOPES[other] == SCOPES[route] else 200)
            if answer.status_code == 403:
                assert SCOPES[route] in answer.json()["message"]


def _path(route: str) -> str:
    if route in ("projects", "entitlements", "products", "customers"):
        return "/v2/projects" if route == "projects" else route
    return "customers/user-0" if route == "customer" else f"customers/user-0/{route}"


def test_six_scopes_are_all_that_a_key_needs() -> None:
    assert len(ALL_SCOPES) == 6


async def test_a_revoked_key_is_refused_from_then_on(caller: Caller, fake: FakeRevenueCat) -> None:
    assert (await caller.get("/v2/projects")).status_code == 200
    fake.key.revoke()
    assert (await caller.get("/v2/projects")).status_code == 401


async def test_a_key_may_see_no_project_or_several(caller: Caller, fake: FakeRevenueCat) -> None:
    fake.key.projects.append("proj_two")
    assert [item["id"] for item in await caller.items("/v2/projects")] == ["projfa4e0001", "proj_two"]
    for of in ("customers", "entitlements", "products"):
        assert await caller.items(f"/v2/projects/proj_two/{of}") == []
    assert (await caller.get("/v2/projects/proj_two/customers/user-0")).status_code == 404
    fake.key.projects.clear()
    assert await caller.items("/v2/projects") == []
    assert (await caller.get("customers")).status_code == 404


async def test_a_second_key_works_beside_the_first(fake: FakeRevenueCat) -> None:
    fake.add_key(Key("sk_second"))
    fake.key.revoke()
    async with Caller(fake, "sk_second") as second:
        assert (await second.get("customers")).status_code == 200


async def test_a_long_id_in_any_script_is_one_path(caller: Caller, fake: FakeRevenueCat) -> None:
    long = next(id_ for id_ in fake.customer_ids() if len(id_) > 255)
    assert (await caller.get(path_of(long))).status_code == 200
    odd = [id_ for id_ in fake.customer_ids() if quote(id_, safe="") != id_]
    assert all(any(mark in id_ for id_ in odd) for mark in (" ", "/", "%", "?", "#", "ゆ", "@", "$RCAnonymousID:"))
