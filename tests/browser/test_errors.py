"""Runs that failed of the same are retried together."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Town

pytestmark = pytest.mark.walk


def test_a_group_comes_by_itself_and_is_retried_after_a_question(town: Town) -> None:
    page = town.window(viewport={"width": 360, "height": 700})
    page.goto(f"{town.address}/teams/my-team/errors")
    expect(page.locator("[data-live-state]")).to_have_attribute("data-state", "on")
    for row in (1, 2, 3):
        town.trigger("broken", text=f'row {row} has <b onclick="x">no</b> price')
    group = page.locator("#groups tr", has_text="price")
    expect(group).to_have_count(1)
    expect(group.locator(".c-runs")).to_have_text("3 runs")
    assert page.locator("#groups b").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    group.get_by_role("link", name="Retry these 3").click()
    expect(page.locator("dialog#ask")).to_contain_text("Retry 3 runs?")
    page.get_by_role("button", name="Retry 3 runs").click()
    expect(page.locator("#head")).to_contain_text("tawny.bulk")
    expect(page.locator("#head .status")).to_have_text("Completed")
    page.goto(f"{town.address}/teams/my-team/errors")
    expect(group.locator(".c-runs")).to_have_text("6 runs")
