"""All that is to be seen of a run: its log, why it failed, what it came from and what came of it, and how to run it again."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Town

pytestmark = pytest.mark.walk


def test_a_failed_run_tells_why_and_leads_to_its_retry_and_back(town: Town) -> None:
    run_id = town.trigger("traps", item=3)
    town.ended(run_id)
    page = town.window()
    page.goto(town.path(f"runs/{run_id}"))
    expect(page.locator(".note.bad .prose")).to_contain_text("ZeroDivisionError")
    trace = page.locator("#trace-1")
    expect(trace.locator("pre")).to_be_hidden()
    trace.locator("summary").click()
    expect(trace.locator("pre")).to_contain_text("in traps")
    page.get_by_role("button", name="Retry").click()
    expect(page).not_to_have_url(re.compile(run_id))
    retry = page.url.rpartition("/")[2]
    page.get_by_role("link", name=run_id[-8:]).click()
    expect(page).to_have_url(re.compile(run_id))
    expect(page.locator("#story")).to_contain_text(f"Retried by{retry[-8:]}")


def test_the_log_is_narrowed_by_level_and_text(town: Town) -> None:
    run_id = town.trigger("traps", item=2)
    town.ended(run_id)
    page = town.window()
    page.goto(town.path(f"runs/{run_id}"))
    lines = page.locator("#lines li")
    expect(lines).to_have_count(3)
    page.get_by_label("Level").select_option("warning")
    expect(lines).to_have_count(1)
    expect(lines).to_contain_text("item 1 is odd")
    page.get_by_label("Level").select_option("debug")
    page.get_by_label("Search in the log").fill("begun")
    expect(lines).to_have_count(1)
    expect(lines).to_contain_text("begun")


def test_a_secret_is_dots_on_the_page_and_in_what_is_copied(town: Town) -> None:
    run_id = town.trigger("catalog", rows=1, source="copied", password="hunter2")
    page = town.window(permissions=["clipboard-read", "clipboard-write"])
    page.goto(town.path(f"runs/{run_id}"))
    expect(page.locator("#head .status")).to_have_text("Completed")
    page.locator("#copies summary").click()
    copied = []
    for button in page.locator("[data-copies]").all():
        button.click()
        expect(button).to_have_text("Copied")
        copied.append(page.evaluate("navigator.clipboard.readText()"))
    assert [text.partition(" ")[0] for text in copied[:2]] == ["curl", "tawny"]
    assert all('"copied"' in text or "copied" in text for text in copied)
    assert "hunter2" not in page.content() + "".join(copied)
