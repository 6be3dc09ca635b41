"""A schedule with a mouse: made, run, paused and deleted."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Town
from tests.walks.database import fetch

pytestmark = pytest.mark.walk

DUE = "update schedules set next_at = date_trunc('minute', now()), look_at = now() where id = $1 returning id"


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


def come_due(town: Town, schedule_id: str) -> None:
    """Let its time come. In a thread, because the one of the browser has a loop already."""
    with ThreadPoolExecutor() as aside:
        assert aside.submit(fetch, town.serving.folder / ".tawny", DUE, schedule_id).result()


def test_its_history_is_drawn_as_it_comes_and_leads_to_the_runs_which_lead_back(town: Town) -> None:
    body = {"job_type": "catalog", "cron": "* * * * *", "params": {"source": "a strip", "rows": 1}}
    answer = town.post(f"/v1/projects/{town.project('Strip')}/schedules", body)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    page = town.window()
    page.goto(town.path(f"schedules/{made['project_id']}/{made['id']}"))
    expect(page.locator("[data-live-state]")).to_have_attribute("data-state", "on")
    expect(page.get_by_text("None has come yet.")).to_be_visible()
    come_due(town, made["id"])
    expect(page.locator(".strip a.completed").first).to_be_visible()
    page.locator(".strip a.completed").first.click()
    expect(page.locator("#head .status")).to_have_text("Completed")
    page.locator("#story").get_by_role("link", name="Schedule").click()
    expect(page).to_have_url(re.compile(f"/{made['id']}$"))
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("None while it is paused.")).to_be_visible()
