"""A schedule with a mouse: made, run, paused and deleted."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Town

pytestmark = pytest.mark.walk


def test_a_schedule_from_its_making_to_its_end(town: Town) -> None:
    page = town.window(viewport={"width": 360, "height": 740})
    page.goto(f"{town.address}/teams/my-team/schedules/new?job_type=catalog")
    page.get_by_label("Project").select_option("First project")
    page.get_by_label("When").fill("30 2 * * 1-5")
    page.get_by_label("By the clock of").fill("Europe/Vienna")
    page.get_by_label("Source").fill("a schedule")
    page.get_by_label("Rows").fill("3")
    page.get_by_role("button", name="Make the schedule").click()
    expect(page.get_by_role("heading", name="At 02:30, Monday through Friday")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    expect(page.locator("dd ol li")).to_have_count(5)
    for time in page.locator("dd ol li").all_inner_texts():
        assert re.search(r"^(Mon|Tue|Wed|Thu|Fri) .* 02:30 CES?T$", time), time
    schedule = page.url

    page.get_by_role("button", name="Run now").click()
    page.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}$"))
    expect(page.get_by_text("Completed").first).to_be_visible()

    page.goto(schedule)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("None while it is paused.")).to_be_visible()
    page.get_by_role("link", name="Delete").click()
    expect(page.get_by_role("dialog")).to_contain_text("Delete this schedule of catalog?")
    page.get_by_role("button", name="Delete the schedule").click()
    expect(page).to_have_url(town.path("schedules"))
    expect(page.locator(f'a[href$="{schedule.rpartition("/")[2]}"]')).to_have_count(0)
