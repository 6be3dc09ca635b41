"""A project is connected to RevenueCat, tried, synced and looked at, with a mouse."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Town

pytestmark = pytest.mark.walk


def test_from_a_key_to_a_table_of_subscribers(town: Town) -> None:
    assert town.revenuecat
    key = town.revenuecat.key.secret
    project = town.project("Of a shop")
    page = town.window()
    page.goto(town.path(f"integrations?project_id={project}"))
    page.get_by_label(re.compile("key", re.IGNORECASE)).first.fill(key)
    page.get_by_role("button", name="Connect").click()
    expect(page.locator("#provider-title + .status")).to_have_text("On")
    assert key not in page.content()

    page.get_by_role("button", name="Test the key").click()
    expect(page.get_by_role("status")).to_contain_text("✓")
    page.get_by_role("button", name="Sync now").click()
    page.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}$"))
    expect(page.locator("#head .status")).to_have_text("Completed")
    expect(page.locator("pre.data").last).to_contain_text('"synced"')
    assert key not in page.content()

    page.goto(town.path(f"integrations?project_id={project}"))
    expect(page.locator("dl.facts")).to_contain_text("Last sync")
    expect(page.locator("dl.facts .status")).to_have_text("Completed")
    page.get_by_role("link", name="Subscribers").click()
    everybody = page.locator("table.rows tbody tr")
    named = [id_ for id_ in town.revenuecat.customer_ids() if not town.revenuecat.truth(id_).anonymous]
    expect(everybody).to_have_count(len(named))
    page.get_by_label("Status").select_option("active")
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(re.compile("status=active"))
    active = everybody.count()
    assert 0 < active < len(named)
    expect(everybody.get_by_text("active", exact=True)).to_have_count(active)
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert download.value.path().read_text().count("\n") == active + 1

    page.goto(town.path(f"integrations?project_id={project}"))
    page.get_by_role("link", name="Disconnect…").click()
    expect(page.get_by_role("dialog")).to_contain_text("Disconnect")
    page.get_by_role("dialog").get_by_role("button", name=re.compile("Disconnect")).click()
    expect(page.get_by_text("not connected")).to_be_visible()
