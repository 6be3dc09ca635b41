"""What people do: sign in, run a job, select rows, all by the keyboard if they like; and what they may not."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Town

pytestmark = pytest.mark.walk


def test_the_keyboard_alone_from_sign_in_to_cancel(town: Town) -> None:
    page = town.window(signed_in=False)
    run_id = town.trigger("catalog", rows=10_000, source="keys")
    page.goto(f"{town.address}/")
    expect(page.get_by_label("E-mail address")).to_be_focused()
    known = len(town.codes("you@localhost"))
    page.keyboard.type("you@localhost")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Code")).to_be_focused()
    page.keyboard.type(town.next_code("you@localhost", known))
    page.keyboard.press("Enter")
    page.wait_for_url("**/teams/my-team/**")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Next and previous row")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url("**/runs")
    page.keyboard.press("/")
    page.keyboard.type('"keys"')
    expect(page.locator("[data-run]")).to_have_count(1)
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    expect(page.locator(f'[data-run="{run_id}"] a')).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{run_id}")
    expect(page.locator("#head .status")).to_have_text("Running")
    page.keyboard.press("c")
    expect(page.get_by_role("button", name="Cancel the run")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#head .status")).to_have_text("Cancelled")
    page.keyboard.press("r")
    page.wait_for_url(lambda url: not url.endswith(run_id))
    expect(page.locator("#story")).to_contain_text(f"Retry of{run_id[-8:]}")
    page.keyboard.press("c")
    page.get_by_role("button", name="Cancel the run").press("Enter")
    expect(page.locator("#head .status")).to_have_text("Cancelled")


def test_a_member_is_offered_and_allowed_little(town: Town) -> None:
    code = town.post("/v1/auth/send-code", {"email": "ann@example.com"})
    assert code.status_code == 200
    town.send("POST", f"/v1/teams/{town.team_id}/invitations", {"email": "ann@example.com", "role": "member"})
    run_id = town.trigger("catalog", rows=10_000, source="member")
    page = town.window(signed_in=False)
    page.goto(town.path(f"runs/{run_id}"))
    town.sign_in(page, "ann@example.com")
    page.wait_for_url(f"**/runs/{run_id}")
    expect(page.get_by_role("link", name="Run a job")).to_have_count(0)
    expect(page.get_by_role("link", name="Edit and run again")).to_have_count(0)
    page.goto(town.path("runs"))
    expect(page.locator("h1")).to_have_text("Your role does not allow this")
    page.goto(town.path(f"runs/{run_id}"))
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("button", name="Cancel the run").click()
    expect(page.locator("#head .status")).to_have_text("Cancelled")


def test_a_form_says_what_does_not_fit_before_it_is_sent_and_then_runs(town: Town) -> None:
    town.project("Another, so that one has to be chosen")
    page = town.window()
    page.goto(town.path("run-a-job"))
    page.get_by_role("link", name=re.compile("Catalog import")).click()
    page.get_by_label("Project").select_option("First project")
    page.get_by_label("Source").fill("form")
    page.get_by_label("Options").fill('{"a": "b"}')
    page.get_by_label("Options").blur()
    expect(page.locator("#wrong-options")).to_contain_text("should be a valid integer")
    page.get_by_label("Options").fill('{"a": 1}')
    page.get_by_label("Rows").fill("10000")
    page.get_by_label("Mode").select_option("full")
    page.get_by_label("Mode").blur()
    expect(page.locator("#check")).to_contain_text("It fits")
    page.get_by_role("button", name="Run it").click()
    page.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}$"))
    first = page.url
    expect(page.locator("pre.data").first).to_contain_text('"mode": "full"')
    page.get_by_role("link", name="Edit and run again").click()
    expect(page.get_by_label("Source")).to_have_value("form")
    page.get_by_role("button", name="Run it").click()
    page.get_by_role("link", name="Open it").click()
    page.wait_for_url(first)
    page.keyboard.press("c")
    page.get_by_role("button", name="Cancel the run").click()
    expect(page.locator("#head .status")).to_have_text("Cancelled")


def test_rows_are_selected_with_shift_and_retried_at_once(town: Town) -> None:
    project = town.project("Shift")
    for text in ("one", "two", "three"):
        town.trigger("broken", text=text, project_id=project)
    page = town.window()
    page.goto(town.path(f"runs?status=failed&project_id={project}"))
    expect(page.locator("[data-run]")).to_have_count(3)
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Shift+X")
    expect(page.locator("[data-chosen]")).to_have_text("3 selected")
    page.keyboard.press("r")
    expect(page.get_by_role("heading", name="Retry 3 runs?")).to_be_visible()
    page.get_by_role("button", name="Retry 3 runs").press("Enter")
    page.goto(town.path(f"runs?project_id={project}"))
    expect(page.locator("[data-run] .status.failed")).to_have_count(6)
    for pick in page.locator(".pick").all():
        pick.check()
    page.get_by_role("button", name="Retry all 6 that match").click()
    expect(page.get_by_role("heading", name="Retry 6 runs?")).to_be_visible()


def test_filters_are_tokens_in_the_address(town: Town) -> None:
    town.trigger("broken", text="token")
    page = town.window()
    page.goto(town.path("runs"))
    page.get_by_label("Job type").select_option("broken")
    page.wait_for_url("**job_type=broken**")
    page.get_by_role("link", name=re.compile("^Failed")).click()
    page.wait_for_url("**status=failed**")
    page.reload()
    expect(page.locator(".token")).to_have_count(2)
    page.get_by_role("link", name="Remove the filter type: broken").click()
    expect(page.locator(".token")).to_have_count(1)
    page.go_back()
    expect(page.locator(".token")).to_have_count(2)
