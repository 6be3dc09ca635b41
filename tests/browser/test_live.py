"""What happens is seen while it happens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import Town

pytestmark = pytest.mark.walk

NOTE_BARS = """() => {
    window.untouched = true;
    window.seen = new Set();
    new MutationObserver(() => {
        const bar = document.querySelector('#now progress');
        if (bar && bar.hasAttribute('value')) window.seen.add(bar.value);
    }).observe(document.body, {subtree: true, childList: true, attributes: true});
}"""
COUNT_STREAMS = """
    window.streams = new Set();
    const Real = window.EventSource;
    window.EventSource = class extends Real {
        constructor(...given) { super(...given); window.streams.add(this); }
        close() { super.close(); window.streams.delete(this); }
    };
"""
HIDE = """hidden => {
    Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});
    document.dispatchEvent(new Event('visibilitychange'));
}"""


def listening(page: Page) -> None:
    expect(page.locator("[data-live-state]").first).to_have_attribute("data-state", "on")


def test_the_bar_goes_from_0_to_100_without_a_reload(town: Town, tmp_path: Path) -> None:
    page, gate = town.window(), tmp_path / "open"
    run_id = town.trigger("catalog", rows=100, pause_ms=60, source="bar", gate=str(gate))
    page.goto(town.path(f"runs/{run_id}"))
    page.evaluate(NOTE_BARS)
    gate.touch()
    expect(page.locator(".pace")).to_contain_text("left")
    expect(page.locator("#head .status")).to_have_text("Completed")
    expect(page.locator("#now progress")).to_have_attribute("value", "100")
    seen = page.evaluate("[...window.seen]")
    assert page.evaluate("window.untouched") is True
    assert len(seen) >= 4, seen
    assert seen == sorted(seen)


def test_the_log_grows_while_it_is_read(town: Town) -> None:
    page = town.window()
    run_id = town.trigger("catalog", rows=80, pause_ms=50, source="log", note="hello")
    page.goto(town.path(f"runs/{run_id}"))
    page.evaluate("window.untouched = true")
    expect(page.locator("#lines li")).to_have_count(4)
    expect(page.locator("#lines li").last).to_contain_text("row 60 hello")
    page.get_by_label("Search in the log").fill("row 40")
    expect(page.locator("#lines li")).to_have_count(1)
    page.get_by_label("Level").select_option("error")
    expect(page.locator("#no-lines")).to_have_text("No line matches.")
    assert page.evaluate("window.untouched") is True


def test_a_cancel_from_the_page_stops_the_handler_in_another_process(town: Town, tmp_path: Path) -> None:
    page = town.window()
    told = tmp_path / "stopped"
    run_id = town.trigger("stubborn", file=str(told))
    page.goto(town.path(f"runs/{run_id}"))
    expect(page.locator("#head .status")).to_have_text("Running")
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("button", name="Cancel the run").click()
    expect(page.locator("#head .status")).to_have_text("Cancelled")
    assert int(told.read_text()) not in (town.serving.process.pid, 0)
    assert town.run(run_id)["status"] == "cancelled"


def test_two_windows_see_each_others_changes(town: Town, say: Callable[[str], None]) -> None:
    one, other = town.window(), town.window()
    run_id = town.trigger("catalog", rows=10_000, source="two")
    for page in (one, other):
        page.goto(town.path("runs"))
        listening(page)
        expect(page.locator(f'[data-run="{run_id}"] .status')).to_have_text("Running")
    one.locator(f'[data-run="{run_id}"] a').click()
    one.get_by_role("link", name="Cancel").click()
    one.get_by_role("button", name="Cancel the run").click()
    begun = monotonic()
    expect(other.locator(f'[data-run="{run_id}"] .status')).to_have_text("Cancelled", timeout=5000)
    say(f"the other window showed the cancel after {monotonic() - begun:.2f} s")


def test_rows_hold_still_while_one_is_selected(town: Town) -> None:
    page = town.window()
    first = town.trigger("catalog", rows=1, source="still-1")
    page.goto(town.path("runs"))
    listening(page)
    expect(page.locator(f'[data-run="{first}"] .status')).to_have_text("Completed")
    page.locator(f'[data-run="{first}"] .pick').check()
    second = town.trigger("catalog", rows=1, source="still-2")
    expect(page.locator("[data-live-state]")).to_have_attribute("data-state", "held")
    expect(page.locator(f'[data-run="{second}"]')).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator(f'[data-run="{second}"] .status')).to_have_text("Completed")


def test_a_page_that_nobody_looks_at_listens_to_nothing(town: Town) -> None:
    page = town.window()
    page.add_init_script(COUNT_STREAMS)
    page.goto(town.path("runs"))
    listening(page)
    assert page.evaluate("window.streams.size") == 1
    page.evaluate(HIDE, True)
    assert page.evaluate("window.streams.size") == 0
    run_id = town.trigger("catalog", rows=1, source="unseen")
    page.evaluate(HIDE, False)
    expect(page.locator(f'[data-run="{run_id}"]')).to_be_visible()
    assert page.evaluate("window.streams.size") == 1
