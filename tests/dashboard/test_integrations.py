"""What projects are connected to, and who subscribes."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import pytest
from tests.dashboard.site import Site, said

from api.world import Served
from tawny.integrations.revenuecat import store
from tawny.integrations.revenuecat.shapes import Customer
from tawny.integrations.revenuecat.store import Owner
from tawny.integrations.service import Manners
from tawny.testing.revenuecat import FakeRevenueCat, Options


@pytest.fixture
async def fake(served: Served) -> AsyncIterator[FakeRevenueCat]:
    """The RevenueCat that the server asks, without limits."""
    async with FakeRevenueCat(Options(customers=5, clock_scale=100)) as fake:
        fake.knobs.limits = False
        reached = served.api.state.tawny.revenuecat
        reached.url, reached.rate, reached.manners = fake.url, 0, Manners(backoff=0.01, busy=0.01)
        yield fake


def at(site: Site, what: str) -> str:
    return f"integrations/{site.world.project_id}/{what}"


async def connect(site: Site, key: str = "sk_a_key_of_nobody_at_all") -> Any:
    return await site.post(at(site, "connect"), api_key=key)


async def discover(site: Site, *app_user_ids: str) -> None:
    owner = Owner(site.world.team_id, site.world.project_id)
    await store.discover(site.world.conn, owner, [Customer(id=id_) for id_ in app_user_ids])


async def test_a_project_is_connected_and_its_key_never_shown_again(site: Site) -> None:
    assert "RevenueCat not connected" in said(await site.get("integrations"))
    answer = await connect(site)
    assert answer.headers["location"] == f"{site.team}/integrations?project_id={site.world.project_id}"
    page = await site.get(answer.headers["location"])
    assert "RevenueCat On" in said(page)
    assert "sk_a****" in said(page)
    assert "none yet" in said(page)
    assert "nobody_at_all" not in page.text
    assert "whsec_" not in page.text
    assert await site.world.audited() == ["create integration"]


async def test_what_is_wrong_is_told_and_the_key_is_not_sent_back(site: Site) -> None:
    answer = await connect(site, "two words\u2028apart")
    assert answer.status_code == 400
    assert "config.api_key should be one line" in said(answer)
    assert "two words" not in answer.text
    assert (await site.post(at(site, "connect"))).status_code == 400


async def test_a_changed_field_leaves_the_others_as_they_are(site: Site) -> None:
    await connect(site)
    await site.post(at(site, "change"), api_key="", rc_project_id="proj1")
    page = said(await site.get("integrations"))
    assert "sk_a****" in page
    assert "proj1" in page


async def test_it_is_turned_off_and_on(site: Site) -> None:
    await connect(site)
    await site.post(at(site, "turn"), to="off")
    page = said(await site.get("integrations"))
    assert "RevenueCat Off" in page
    assert "Sync now" not in page
    await site.post(at(site, "turn"), to="on")
    assert "RevenueCat On" in said(await site.get("integrations"))


async def test_it_is_disconnected_after_a_question(site: Site) -> None:
    await connect(site)
    assert "Disconnect P from RevenueCat?" in said(await site.fragment(at(site, "disconnect")))
    await site.post(at(site, "disconnect"))
    assert "not connected" in said(await site.get("integrations"))
    assert (await site.post(at(site, "turn"), to="on")).status_code == 400


async def test_the_key_is_tried(site: Site, fake: FakeRevenueCat) -> None:
    await connect(site, fake.key.secret)
    assert f"may do all that a sync does, in RevenueCat's project {fake.project_id}" in said(await site.post(at(site, "try")))
    await site.post(at(site, "change"), api_key="sk_another_that_is_unknown")
    refused = await site.post(at(site, "try"))
    assert refused.status_code == 400
    assert "✕" in said(refused)


async def test_a_sync_is_a_run_that_is_led_to(site: Site, fake: FakeRevenueCat) -> None:
    await connect(site, fake.key.secret)
    asked = await site.post(at(site, "sync"))
    assert asked.status_code == 303
    assert "revenuecat_sync" in said(await site.get(asked.headers["location"]))
    again = await site.post(at(site, "sync"))
    assert again.status_code == 400
    assert f'href="{asked.headers["location"]}">Open that run' in again.text
    assert "Last sync Pending" in said(await site.get("integrations"))


async def test_the_webhook_is_shown_to_who_may_set_it_up(site: Site, member: Site) -> None:
    await connect(site)
    page = said(await site.get(at(site, "webhook")))
    assert f"/v1/webhooks/revenuecat/{site.world.project_id}" in page
    assert "Bearer whsec_" in page
    shown = await member.get("integrations")
    assert shown.status_code == 200
    assert "RevenueCat On" in said(shown)
    for words in ("Sync now", "Webhook", "Disconnect", "Subscribers", "Change the key"):
        assert words not in said(shown)


async def test_a_project_of_another_team_is_nowhere(site: Site) -> None:
    team, _ = await site.world.add_team()
    theirs = await site.world.add_project(team)
    assert (await site.post(f"integrations/{theirs}/connect", api_key="sk_a_key_of_nobody")).status_code == 404
    assert (await site.get(f"integrations/{theirs}/subscribers")).status_code == 404


async def test_subscribers_are_listed_page_by_page(site: Site) -> None:
    await discover(site, *[f"user-{n:02}" for n in range(51)])
    first = await site.get(at(site, "subscribers"))
    assert "50 subscribers, newest first" in said(first)
    older = re.search(r'href="([^"]+)" rel="next"', first.text)
    assert older
    second = await site.get(unescape(older[1]))
    assert "1 subscribers" in said(second)
    assert "Newest" in said(second)


async def test_subscribers_are_filtered_and_told_when_none_matches(site: Site) -> None:
    assert "No subscribers yet" in said(await site.get(at(site, "subscribers")))
    await discover(site, "ann", "bo")
    await site.world.conn.execute("update subscribers set status = 'active' where app_user_id = 'ann'")
    listed = said(await site.get(at(site, "subscribers"), params={"status": "active", "entitlement": ""}))
    assert "ann active" in listed
    assert " bo " not in listed
    assert "No subscriber matches" in said(await site.get(at(site, "subscribers"), params={"entitlement": "gold"}))


async def test_the_table_has_all_that_match(site: Site) -> None:
    await discover(site, *[f"user-{n:03}" for n in range(201)], "=1+1")
    answer = await site.get(at(site, "subscribers.csv"))
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="subscribers.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len({row["app_user_id"] for row in rows}) == 202
    assert "'=1+1" in {row["app_user_id"] for row in rows}


async def test_names_are_text_whatever_is_in_them(site: Site) -> None:
    payload = '<img src=x onerror="alert(1)">'
    await discover(site, payload)
    await connect(site)
    await site.post(at(site, "change"), rc_project_id=payload)
    for address in (at(site, "subscribers"), "integrations"):
        page = await site.get(address)
        assert payload not in page.text
        assert "onerror" in page.text


async def test_without_a_project_there_is_nothing_to_connect(site: Site) -> None:
    await site.world.conn.execute("update projects set deleted_at = now()")
    assert "No project yet" in said(await site.get("integrations"))
