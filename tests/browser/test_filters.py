"""Filters while somebody uses them: nothing typed is lost, nothing taken away comes back, nothing of before stays."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect
from tests.browser.conftest import Town

pytestmark = pytest.mark.walk


WATCH = """run => {
    const shown = () => document.querySelector(`[data-run="${run}"]`) !== null;
    window.seen = shown();
    new MutationObserver(() => { window.seen ||= shown(); }).observe(document.body, {subtree: true, childList: true});
}"""


class Held:
    """Requests of a pattern, kept from the server until they are let go."""

    def __init__(self, page: Page, pattern: re.Pattern[str]) -> None:
        self._kept: list[Route] = []
        self._released = False
        page.route(pattern, lambda route: self._meet(route))

    def _meet(self, route: Route) -> None:
        if self._released:
            route.continue_()
        else:
            self._kept.append(route)

    def release(self) -> None:
        """Let them go on, and hold no further ones."""
        self._released = True
        for route in self._kept:
            route.continue_()


def test_what_is_typed_while_an_answer_is_on_its_way_is_kept_and_asked_for(town: Town) -> None:
    wanted = town.trigger("broken", text="needle in a haystack")
    town.trigger("broken", text="need nothing")
    page = town.window()
    page.goto(town.path("runs"))
    held = Held(page, re.compile(r"search=need$"))
    field = page.get_by_label("Search in params")
    with page.expect_request(re.compile(r"search=need$")):
        field.press_sequentially("need")
    field.press_sequentially("le")
    held.release()
    expect(page).to_have_url(re.compile(r"search=needle$"))
    expect(page.locator("[data-run]")).to_have_count(1)
    expect(page.locator(f'[data-run="{wanted}"]')).to_be_visible()
    expect(field).to_have_value("needle")
    expect(field).to_be_focused()


def test_a_filter_that_was_taken_away_stays_away(town: Town) -> None:
    town.trigger("broken", text="away")
    page = town.window()
    page.goto(town.path("runs?status=failed"))
    page.get_by_role("link", name="Remove the filter status").click()
    expect(page.locator(".token")).to_have_count(0)
    page.get_by_label("Search in params").fill("away")
    expect(page.locator(".token")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"/runs\?search=away$"))


def test_rows_of_before_a_filter_are_not_shown_under_it(town: Town) -> None:
    """A look at all runs begins, then a filter is set, and only then the look is answered."""
    page = town.window()
    page.goto(town.path("runs"))
    expect(page.locator("[data-live-state]")).to_have_attribute("data-state", "on")
    held = Held(page, re.compile(r"/runs$"))
    with page.expect_request(re.compile(r"/runs$")):
        other = town.trigger("catalog", rows=1, source="under a filter")
    page.get_by_role("link", name=re.compile("^Failed")).click()
    expect(page).to_have_url(re.compile(r"status=failed$"))
    page.evaluate(WATCH, other)
    with page.expect_response(re.compile(r"status=failed$")):
        held.release()
    assert page.evaluate("window.seen") is False
    expect(page.locator("[data-run] .status").filter(has_not_text="Failed")).to_have_count(0)


def test_leaving_the_search_changes_nothing(town: Town) -> None:
    run_id = town.trigger("broken", text="left")
    page = town.window()
    page.goto(town.path("runs"))
    page.keyboard.press("/")
    page.keyboard.type("left")
    expect(page.locator("[data-run]")).to_have_count(1)
    page.evaluate("document.querySelector('#rows').dataset.untouched = 'yes'")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    expect(page.get_by_label("Search in params")).to_have_value("left")
    expect(page.locator(f'[data-run="{run_id}"] a')).to_be_focused()
    assert page.locator("#rows").get_attribute("data-untouched") == "yes"


def test_going_back_shows_the_filters_of_then(town: Town) -> None:
    page = town.window()
    page.goto(town.path("runs"))
    page.get_by_label("Job type").select_option("broken")
    page.wait_for_url("**job_type=broken")
    page.get_by_role("link", name=re.compile("^Failed")).click()
    page.wait_for_url("**status=failed**")
    page.go_back()
    expect(page.locator(".token")).to_have_count(1)
    page.go_back()
    expect(page.locator(".token")).to_have_count(0)
    expect(page.get_by_label("Job type")).to_have_value("")
