"""What happens is seen while it happens."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Town

pytestmark = pytest.mark.walk


def test_the_bar_goes_from_0_to_100_without_a_reload(town: Town) -> None:
    page = town.window()
    run_id = town.trigger("catalog", rows=100, pause_ms=60, source="bar")
    page.goto(f"{town.address}/teams/my-team/runs/{run_id}")
    page.evaluate("window.untouched = true; window.seen = new Set()")
    page.evaluate(
        """() => new MutationObserver(() => {
            const bar = document.querySelector('#now progress');
            if (bar && bar.hasAttribute('value')) window.seen.add(bar.value);
        }).observe(document.body, {subtree: true, childList: true, attributes: true})"""
    )
    expect(page.locator("#head .status")).to_have_text("Completed")
    expect(page.locator("#now progress")).to_have_attribute("value", "100")
    seen = page.evaluate("[...window.seen]")
    assert page.evaluate("window.untouched") is True
    assert len(seen) >= 4, seen
    assert seen == sorted(seen)


def test_two_windows_see_each_others_changes(town: Town) -> None:
    one, other = town.window(), town.window()
    for page in (one, other):
        page.goto(f"{town.address}/teams/my-team/runs")
        expect(page.locator("[data-live-state]")).to_have_attribute("data-state", "on")
    run_id = town.trigger("catalog", rows=5, source="two")
    for page in (one, other):
        expect(page.locator(f"#run-{run_id} .status")).to_have_text("Completed", timeout=3000)
