"""A webhook with a mouse: made, tried, and what arrived."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Town
from tests.browser.test_quality import serious
from tests.notifications.receiver import Post, check
from tests.walks.test_notifications import listening

pytestmark = pytest.mark.walk


def test_a_webhook_is_made_and_a_test_is_seen_to_arrive_without_a_reload(town: Town) -> None:
    posts: list[Post] = []
    with listening(posts) as url:
        page = town.window()
        page.goto(town.path("settings/webhooks"))
        page.get_by_role("textbox", name="Name").fill("Of a browser")
        page.get_by_role("textbox", name="Address").fill(url)
        page.get_by_role("button", name="Make the webhook").click()
        secret = page.locator("#secret-text").inner_text()
        page.get_by_role("link", name="Of a browser").click()
        page.get_by_role("button", name="Send a test").click()
        arrived = page.get_by_role("row").filter(has_text="A test")
        expect(arrived).to_contain_text("Delivered")
    assert [check(secret, post, set(), int(post.headers["webhook-timestamp"])) for post in posts] == ["ok"]

    arrived.get_by_role("link").click()
    expect(page.get_by_text('"type":"webhook.test"')).to_be_visible()
    expect(page.get_by_text("200", exact=True)).to_be_visible()
    page.get_by_role("link", name="Of a browser").click()
    page.get_by_role("link", name="Delete…").click()
    expect(page.get_by_role("dialog")).to_contain_text("Delete the webhook “Of a browser”?")
    page.get_by_role("button", name="Delete the webhook").click()
    expect(page).to_have_url(re.compile("/settings/webhooks$"))
    expect(page.get_by_role("link", name="Of a browser")).to_have_count(0)


def test_its_pages_fit_a_telephone_and_keep_nobody_from_using_them(town: Town) -> None:
    with listening([]) as url:
        page = town.window(viewport={"width": 360, "height": 740})
        page.goto(town.path("settings/webhooks"))
        page.get_by_role("textbox", name="Name").fill("W" * 190)
        page.get_by_role("textbox", name="Address").fill(url + "/" + "p" * 200)
        page.get_by_role("button", name="Make the webhook").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert serious(page) == []
        page.locator("table a").last.click()
        page.get_by_role("button", name="Send a test").click()
        expect(page.get_by_role("row").filter(has_text="A test")).to_contain_text("Delivered")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert serious(page) == []
        page.get_by_role("link", name="A test").click()
        expect(page.get_by_text("What was sent")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert serious(page) == []
