"""Whoever is in several teams goes from one to the other, and sees in each what is that team's."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Town
from tests.commands import tawny

pytestmark = pytest.mark.walk


def admin(town: Town, *arguments: str) -> None:
    done = tawny(town.serving.folder, "admin", *arguments)
    assert done.returncode == 0, done.stderr


def test_the_team_is_switched_and_shows_nothing_of_the_other(town: Town) -> None:
    run_id = town.trigger("broken", text="of my team")
    admin(town, "create-team", "Other <b>team</b>", "--owner", "both@example.com")
    admin(town, "add-member", "both@example.com", "--team", town.team_id, "--role", "admin")
    page = town.window(signed_in=False)
    page.goto(town.path("runs"))
    town.sign_in(page, "both@example.com")
    page.get_by_label("Team My team: change").click()
    page.get_by_role("link", name="Other <b>team</b>").click()
    expect(page.get_by_label("Team Other <b>team</b>: change")).to_be_visible()
    expect(page).to_have_url(re.compile("/teams/other-"))
    page.goto(f"{page.url.rpartition('/')[0]}/runs/{run_id}")
    expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
    page.get_by_label("Team Other <b>team</b>: change").click()
    page.get_by_role("link", name="My team").click()
    expect(page).to_have_url(re.compile("/teams/my-team/"))


def test_signing_out_ends_it_and_signing_in_leads_back_to_where_one_was(town: Town) -> None:
    page = town.window(signed_in=False)
    page.goto(town.path("schedules"))
    town.sign_in(page, "you@localhost")
    expect(page).to_have_url(town.path("schedules"))
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("E-mail address")).to_be_visible()
    page.goto(town.path("schedules"))
    expect(page.get_by_label("E-mail address")).to_be_visible()
