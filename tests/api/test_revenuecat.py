"""Syncs that are asked for over HTTP, what RevenueCat tells by itself, and the list of subscribers."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import hmac
import io
import json
from time import time
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest

from api.world import World, refusal
from tawny import integrations
from tawny.db.ids import uuid7
from tawny.integrations.revenuecat import store
from tawny.integrations.revenuecat.shapes import Customer
from tawny.integrations.revenuecat.store import Owner
from tawny.testing.revenuecat import FakeRevenueCat, Fault

WRITE = ("integrations:read", "integrations:write")


@pytest.fixture
async def key(world: World) -> str:
    return await world.add_key(*WRITE)


async def connect(world: World, fake: FakeRevenueCat, project_id: UUID | None = None) -> str:
    """Connect the world's project, and return its webhook secret."""
    keyring = world.served.api.state.tawny.keyring
    config = {"api_key": fake.key.secret}
    project_id = project_id or world.project_id
    saved = await integrations.connect(world.conn, world.owner, keyring, project_id, provider="revenuecat", config=config)
    return saved.webhook_secret


def at(world: World, what: str) -> str:
    return f"/v1/projects/{world.project_id}/integrations/revenuecat/{what}"


# Asking for a sync


async def test_a_sync_is_a_run_and_there_is_one_at_a_time(world: World, fake: FakeRevenueCat, key: str) -> None:
    await connect(world, fake)
    answer = await world.send("POST", at(world, "sync"), as_=key)
    assert answer.status_code == 200
    asked = answer.json()
    assert (asked["syncing"], asked["total"]) == (True, 0)
    run = (await world.view(asked["job_run_id"])).json()["job_run"]
    assert (run["job_type"], run["status"], run["params"]) == (
        "revenuecat_sync",
        "pending",
        {"project_id": str(world.project_id)},
    )
    again = await world.send("POST", at(world, "sync"), as_=key)
    assert refusal(again) == (409, "already_active")
    assert again.json()["existing_run_id"] == asked["job_run_id"]
    assert await world.audited() == ["create integration", "create job_run"]


async def test_of_many_who_ask_at_once_one_gets_a_run_and_all_others_its_id(world: World, fake: FakeRevenueCat, key: str) -> None:
    await connect(world, fake)
    answers = await asyncio.gather(*(world.send("POST", at(world, "sync"), as_=key) for _ in range(10)))
    [made] = [answer.json()["job_run_id"] for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code != 200]
    assert [refusal(answer) for answer in refused] == [(409, "already_active")] * 9
    assert {answer.json()["existing_run_id"] for answer in refused} == {made}


@pytest.mark.parametrize("what", ["sync", "sync/somebody", "test"])
async def test_what_is_not_connected_is_a_404(world: World, fake: FakeRevenueCat, key: str, what: str) -> None:
    assert refusal(await world.send("POST", at(world, what), as_=key)) == (404, "not_connected")
    await connect(world, fake)
    await world.conn.execute("update integrations set enabled = false")
    assert refusal(await world.send("POST", at(world, what), as_=key)) == (404, "not_connected")
    assert fake.counters.total == 0


async def test_one_user_is_synced_at_once(world: World, fake: FakeRevenueCat, key: str) -> None:
    await connect(world, fake)
    for somebody in fake.customer_ids():
        if not fake.truth(somebody).anonymous:
            answer = await world.send("POST", at(world, f"sync/{quote(somebody, safe='')}"), as_=key)
            assert answer.status_code == 200, answer.text
            assert answer.json()["updated"] == 1
            assert answer.json()["properties"]["rc_total_revenue_usd"] == f"{fake.truth(somebody).revenue_usd:.2f}"
    listed = (await subscribers(world))["subscribers"]
    named = [id_ for id_ in fake.customer_ids() if not fake.truth(id_).anonymous]
    assert sorted(one["app_user_id"] for one in listed) == sorted(named)


async def test_a_user_who_cannot_be_synced(world: World, fake: FakeRevenueCat, key: str) -> None:
    await connect(world, fake)
    asked = [f"sync/{quote(user, safe='')}" for user in ("$RCAnonymousID:1", "nobody", "x" * 1501, fake.customer_ids()[0])]
    fake.knobs.add(Fault.SERVER_ERROR, "purchases")
    refused = [refusal(await world.send("POST", at(world, path), as_=key)) for path in asked]
    assert refused == [
        (400, "anonymous_user"),
        (404, "unknown_subscriber"),
        (400, "invalid_app_user_id"),
        (502, "service_failed"),
    ]
    assert await world.conn.fetchval("select count(*) from subscribers") == 0


async def test_a_key_is_tried(world: World, fake: FakeRevenueCat, key: str) -> None:
    await connect(world, fake)
    answer = await world.send("POST", at(world, "test"), as_=key)
    assert (answer.status_code, answer.json()) == (200, {"ok": True, "project_id": fake.project_id})


async def test_a_key_that_may_not_do_everything(world: World, fake: FakeRevenueCat, key: str) -> None:
    await connect(world, fake)
    for scope in sorted(fake.key.scopes):
        fake.key.scopes -= {scope}
        answer = await world.send("POST", at(world, "test"), as_=key)
        assert refusal(answer) == (400, "key_refused")
        assert scope in answer.json()["error"]
        fake.key.scopes |= {scope}
    fake.key.projects.append("proj_other")
    assert refusal(await world.send("POST", at(world, "test"), as_=key)) == (400, "wrong_project")
    fake.key.revoke()
    answer = await world.send("POST", at(world, "test"), as_=key)
    assert refusal(answer) == (400, "key_refused")
    assert fake.key.secret not in answer.text


@pytest.mark.slow
async def test_a_service_that_is_too_busy(world: World, fake: FakeRevenueCat, key: str) -> None:
    await connect(world, fake)
    fake.knobs.add(Fault.RATE_LIMITED)
    for path in ("test", "sync/somebody"):
        answer = await world.send("POST", at(world, path), as_=key)
        assert refusal(answer) == (429, "too_many_requests")
        assert int(answer.headers["retry-after"]) > 0


# What RevenueCat tells


def hook(world: World) -> str:
    return f"/v1/webhooks/revenuecat/{world.project_id}"


def event(event_id: str = "1", **fields: Any) -> bytes:
    return json.dumps({"api_version": "1.0", "event": {"id": event_id, "type": "RENEWAL", **fields}}).encode()


async def tell(world: World, body: bytes, **headers: str) -> httpx.Response:
    given = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return await world.http.post(hook(world), content=body, headers=given)


def signed(secret: str, body: bytes, at: float) -> str:
    digest = hmac.new(secret.encode(), f"{int(at)}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={int(at)},v1={digest}"


async def add(world: World, *app_user_ids: str) -> None:
    """Subscribers who were synced, and are not due."""
    await store.discover(world.conn, Owner(world.team_id, world.project_id), [Customer(id=id_) for id_ in app_user_ids])
    await world.conn.execute("update subscribers set due_at = now() + interval '1 day'")


async def due(world: World) -> list[str]:
    rows = await world.conn.fetch("select app_user_id from subscribers where due_at <= now() order by 1")
    return [row["app_user_id"] for row in rows]


async def test_whom_an_event_is_about_is_due(world: World, fake: FakeRevenueCat) -> None:
    secret = await connect(world, fake)
    await add(world, "ann", "bob", "cy", "dee")
    answer = await tell(world, event(app_user_id="ann", aliases=["bob", 5, None]), authorization=f"Bearer {secret}")
    assert (answer.status_code, answer.json()) == (200, {"received": True})
    assert await due(world) == ["ann", "bob"]
    transfer = event("2", transferred_from=["cy"], transferred_to=["$RCAnonymousID:x"])
    assert (await tell(world, transfer, authorization=f"Bearer {secret}")).status_code == 200
    assert await due(world) == ["ann", "bob", "cy"]
    assert fake.counters.total == 0


async def test_somebody_new_becomes_known_by_the_name_that_is_theirs(world: World, fake: FakeRevenueCat) -> None:
    secret = await connect(world, fake)
    new = event(app_user_id="$RCAnonymousID:y", original_app_user_id="$RCAnonymousID:y", aliases=["eve"])
    assert (await tell(world, new, authorization=f"Bearer {secret}")).status_code == 200
    assert await due(world) == ["eve"]
    anonymous = event("2", app_user_id="$RCAnonymousID:z")
    assert (await tell(world, anonymous, authorization=f"Bearer {secret}")).status_code == 200
    assert await due(world) == ["eve"]


async def test_an_event_counts_once_however_often_and_whenever_it_comes(world: World, fake: FakeRevenueCat) -> None:
    secret = await connect(world, fake)
    await add(world, "ann")
    for _ in range(3):
        answer = await tell(world, event(app_user_id="ann", event_timestamp_ms=5), authorization=f"Bearer {secret}")
        assert answer.json() == {"received": True}
    assert await world.conn.fetchval("select marks from subscribers") == 1
    # An older one that comes later says the same: ask again.
    await tell(world, event("0", app_user_id="ann", event_timestamp_ms=1), authorization=f"Bearer {secret}")
    assert await world.conn.fetchval("select marks from subscribers") == 2


async def test_an_event_that_comes_many_times_at_once_counts_once_in_each_project(world: World, fake: FakeRevenueCat) -> None:
    secret = await connect(world, fake)
    await add(world, "ann")
    body = event(app_user_id="ann")
    answers = await asyncio.gather(*(tell(world, body, authorization=f"Bearer {secret}") for _ in range(10)))
    assert [answer.status_code for answer in answers] == [200] * 10
    assert await world.conn.fetchval("select marks from subscribers") == 1
    other = await world.add_project()
    of_other = await connect(world, fake, other)
    said = {"authorization": f"Bearer {of_other}"}
    assert (await world.http.post(f"/v1/webhooks/revenuecat/{other}", content=body, headers=said)).status_code == 200
    assert await world.conn.fetchval("select count(*) from webhook_events") == 2


async def test_where_nobody_is_there_to_receive_it_is_a_404(world: World, fake: FakeRevenueCat) -> None:
    secret = await connect(world, fake)
    for change in ("enabled = false", "enabled = true, deleted_at = now()"):
        await world.conn.execute(f"update integrations set {change}")
        assert refusal(await tell(world, event(), authorization=f"Bearer {secret}")) == (404, "not_connected"), change


async def test_an_event_that_cannot_be_checked_just_now_is_to_come_again(world: World, fake: FakeRevenueCat) -> None:
    secret = await connect(world, fake)
    await world.conn.execute("update integrations set secrets = jsonb_set(secrets, '{webhook_secret}', secrets -> 'api_key')")
    answer = await tell(world, event(), authorization=f"Bearer {secret}")
    assert answer.status_code == 503
    assert await world.conn.fetchval("select count(*) from webhook_events") == 0


async def test_a_signature_is_good_for_five_minutes(world: World, fake: FakeRevenueCat) -> None:
    secret = await connect(world, fake)
    for ago, expected in ((0, 200), (290, 200), (-290, 200), (310, 401), (-310, 401)):
        body = event(f"at {ago}")
        answer = await tell(world, body, x_revenuecat_webhook_signature=signed(secret, body, time() - ago))
        assert answer.status_code == expected, ago
    body = event("rotated")
    both = f"{signed(secret, body, time())},v1={'0' * 64}"
    assert (await tell(world, body, x_revenuecat_webhook_signature=both)).status_code == 200


async def test_whoever_does_not_know_the_secret_is_refused(world: World, fake: FakeRevenueCat) -> None:
    secret = await connect(world, fake)
    body = event()
    wrong: list[dict[str, str]] = [
        {},
        {"authorization": secret},
        {"authorization": "Bearer"},
        {"authorization": f"Bearer {secret}x"},
        {"authorization": f"Bearer {world.key}"},
        {"x_revenuecat_webhook_signature": signed(secret, b"{}", time())},
        {"x_revenuecat_webhook_signature": signed("another", body, time())},
        {"x_revenuecat_webhook_signature": "t=,v1="},
        {"x_revenuecat_webhook_signature": "nonsense"},
        {"x_revenuecat_webhook_signature": "nonsense", "authorization": f"Bearer {secret}"},
    ]
    for headers in wrong:
        assert refusal(await tell(world, body, **headers)) == (401, "wrong_webhook_secret"), headers
    assert await world.conn.fetchval("select count(*) from webhook_events") == 0


async def test_what_is_no_event_is_refused(world: World, fake: FakeRevenueCat) -> None:
    secret = await connect(world, fake)
    for body, code in (
        (b"{}", "invalid_event"),
        (b'{"event": {"type": "TEST"}}', "invalid_event"),
        (b'{"event": []}', "invalid_event"),
        (b'{"event": {"id": ""}}', "invalid_event"),
        (event("a\0b"), "invalid_character"),
        (event("\ud800"), "invalid_character"),
        (b"{", "invalid_json"),
        (b"", "invalid_json"),
    ):
        assert refusal(await tell(world, body, authorization=f"Bearer {secret}")) == (400, code), body
    other = await world.http.post(f"/v1/webhooks/revenuecat/{uuid7()}", content=event())
    assert refusal(other) == (404, "not_connected")


# Who subscribes


async def subscribers(world: World, **params: Any) -> Any:
    key = await world.add_key("integrations:read")
    answer = await world.send("GET", f"/v1/projects/{world.project_id}/subscribers", as_=key, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json() if params.get("format") != "csv" else answer


async def synced(world: World, fake: FakeRevenueCat, key: str) -> None:
    await connect(world, fake)
    for somebody in fake.customer_ids():
        if not fake.truth(somebody).anonymous:
            await world.send("POST", at(world, f"sync/{quote(somebody, safe='')}"), as_=key)


@pytest.mark.slow
async def test_pages_hold_everybody_once_newest_first(world: World, fake: FakeRevenueCat, key: str) -> None:
    await synced(world, fake, key)
    pages = [await subscribers(world, limit=4)]
    while pages[-1]["has_more"]:
        pages.append(await subscribers(world, limit=4, cursor=pages[-1]["cursor"]))
    assert pages[-1]["cursor"] is None
    listed = [one for page in pages for one in page["subscribers"]]
    named = [id_ for id_ in fake.customer_ids() if not fake.truth(id_).anonymous]
    assert sorted(one["app_user_id"] for one in listed) == sorted(named)
    times = [one["created_at"] for one in listed]
    assert times == sorted(times, reverse=True)
    for one in listed:
        truth = fake.truth(one["app_user_id"])
        assert (one["total_revenue_usd_cents"], tuple(one["entitlements"])) == (truth.revenue_usd_cents, truth.entitlements)


@pytest.mark.slow
async def test_filters_by_status_and_entitlement(world: World, fake: FakeRevenueCat, key: str) -> None:
    await synced(world, fake, key)
    everybody = (await subscribers(world, limit=200))["subscribers"]
    statuses = {one["status"] for one in everybody if one["status"]}
    entitlements = {name for one in everybody for name in one["entitlements"]}
    assert len(statuses) > 2
    for status in statuses:
        found = (await subscribers(world, status=status))["subscribers"]
        assert found == [one for one in everybody if one["status"] == status]
    for entitlement in sorted(entitlements)[:5]:
        found = (await subscribers(world, entitlement=entitlement))["subscribers"]
        assert found == [one for one in everybody if entitlement in one["entitlements"]]
        active = (await subscribers(world, entitlement=entitlement, status="active"))["subscribers"]
        assert active == [one for one in found if one["status"] == "active"]
    assert (await subscribers(world, entitlement="none of these"))["subscribers"] == []


async def test_a_table_has_no_formulas(world: World, fake: FakeRevenueCat) -> None:
    await add(world, "=HYPERLINK(1)", "+1", "-1", "@x", "\tx", 'plain, "quoted"', "two\nlines")
    answer = await subscribers(world, format="csv", limit=6)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    first = list(csv.DictReader(io.StringIO(answer.text)))
    link = answer.headers["link"]
    rest = await world.send(
        "GET",
        f"/v1/projects/{world.project_id}/subscribers{link[1 : link.index('>')]}",
        as_=await world.add_key("integrations:read"),
    )
    rows = first + list(csv.DictReader(io.StringIO(rest.text)))
    assert "link" not in rest.headers
    users = {row["app_user_id"] for row in rows}
    assert users == {"'=HYPERLINK(1)", "'+1", "'-1", "'@x", "'\tx", 'plain, "quoted"', "two\nlines"}
    assert {row["active"] for row in rows} == {"false"}


@pytest.mark.parametrize(
    ("name", "value"), [("limit", "0"), ("limit", "201"), ("status", ""), ("entitlement", "x" * 256), ("format", "xml")]
)
async def test_a_wrong_parameter_is_refused_by_name(world: World, name: str, value: str) -> None:
    key = await world.add_key("integrations:read")
    answer = await world.send("GET", f"/v1/projects/{world.project_id}/subscribers", as_=key, params={name: value})
    assert refusal(answer) == (400, "invalid_parameter")
    assert answer.json()["parameter"] == name
