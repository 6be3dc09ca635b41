"""How a team's runs are doing is drawn, and goes on by itself."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Town

pytestmark = pytest.mark.walk


def test_the_chart_and_the_numbers_go_on_without_a_reload(town: Town) -> None:
    page = town.window()
    page.goto(f"{town.address}/teams/my-team/overview")
    expect(page.locator("[data-live-state]")).to_have_attribute("data-state", "on")
    page.evaluate("window.untouched = true")
    before = int(page.locator("#tiles .tile", has_text="Completed").locator(".value").inner_text())
    town.trigger("catalog", rows=3, source="overview")
    expect(page.locator("#tiles .tile", has_text="Completed").locator(".value")).to_have_text(str(before + 1))
    expect(page.locator("#chart canvas")).to_be_visible()
    assert page.evaluate("window.untouched") is True
    # The newest hour is at the right end; the mouse over it says it in words.
    box = page.locator("#chart .u-over").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] - 4, box["y"] + 20)
    expect(page.locator("#hour-said")).to_contain_text("completed")


def test_a_number_leads_to_its_runs(town: Town) -> None:
    town.trigger("catalog", rows=1, source="number")
    page = town.window(viewport={"width": 360, "height": 700})
    page.goto(f"{town.address}/teams/my-team/overview")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.locator("#tiles .tile", has_text="Completed").click()
    expect(page.locator("#rows tr").first).to_contain_text("Completed")


def test_no_word_of_the_job_types_is_cut(town: Town) -> None:
    town.ended(town.trigger("catalog", rows=30, source="cut"))
    page = town.window(viewport={"width": 1280, "height": 800})
    page.goto(town.path("overview"))
    cut = "[...document.querySelectorAll('.types :is(th, td, td a)')].filter(e => e.scrollWidth > e.clientWidth && e.clientWidth)"
    assert page.evaluate(f"{cut}.map(e => e.textContent)") == []
