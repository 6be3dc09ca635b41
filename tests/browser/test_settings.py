"""Settings with a mouse: a key from its making to its end."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Town
from tests.postgres import eventually

pytestmark = pytest.mark.walk


def test_a_key_is_copied_when_it_is_made_and_revoked_after_a_question(town: Town) -> None:
    page = town.window(permissions=["clipboard-read", "clipboard-write"])
    page.goto(f"{town.address}/teams/my-team/settings/keys")
    page.get_by_role("textbox", name="Name").fill("of a browser")
    page.get_by_role("button", name="Make the key").click()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    key = page.evaluate("navigator.clipboard.readText()")
    assert whoami(town, key) == 200

    page.get_by_role("link", name="Agent keys").click()
    expect(page.get_by_role("row", name="of a browser")).to_be_visible()
    assert key not in page.content()
    page.get_by_role("link", name="Revoke of a browser").click()
    expect(page.get_by_role("dialog")).to_contain_text("Revoke the key “of a browser”?")
    page.get_by_role("button", name="Revoke the key").click()
    expect(page.get_by_role("link", name="Revoke of a browser")).to_have_count(0)
    expect(page.get_by_text(re.compile(r"\d+ that (is|are) over"))).to_be_visible()
    eventually(lambda: whoami(town, key) == 401, 10)


def whoami(town: Town, key: str) -> int:
    return httpx.get(f"{town.address}/v1/auth/whoami", headers={"authorization": f"Bearer {key}"}, timeout=10).status_code
