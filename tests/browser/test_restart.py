"""A server that is started again loses nothing of what a page shows."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect
from tests.browser.conftest import Town
from tests.commands import Serving

pytestmark = pytest.mark.walk


def test_a_page_goes_on_after_a_restart_without_a_gap(chromium: Browser, tmp_path: Path) -> None:
    shutil.copy(Path(__file__).with_name("author.py"), tmp_path)
    with Serving(tmp_path, "--port", "0", "--app", "author:app", command="serve") as first:
        town = Town(first.wait_until_up(), chromium)
        page = town.window()
        page.goto(town.path("runs"))
        expect(page.locator("[data-live-state]")).to_have_attribute("data-state", "on")
        page.evaluate("window.untouched = true")
        port = re.search(r":(\d+)$", first.address)
        assert port
        before = town.trigger("catalog", rows=400, pause_ms=20)
        expect(page.locator(f'[data-run="{before}"] .status')).to_have_text("Running")
        key, team, project = first.key, town.team_id, town.project_id
        first.press_ctrl_c()
        first.ended()
    expect(page.locator("[data-live-state]")).to_have_attribute("data-state", "lost")
    with Serving(tmp_path, "--port", port[1], "--app", "author:app", command="serve") as second:
        second.wait_until_up()
        body = {"job_type": "catalog", "project_id": project, "params": {"rows": 1, "source": "after"}}
        made = httpx.post(f"{second.address}/v1/teams/{team}/jobs/trigger", json=body, headers={"authorization": f"Bearer {key}"})
        after = made.json()["job_run"]["id"]
        expect(page.locator(f'[data-run="{after}"] .status')).to_have_text("Completed", timeout=30_000)
        expect(page.locator(f'[data-run="{before}"] .status')).to_have_text("Completed", timeout=30_000)
        expect(page.locator("[data-live-state]")).to_have_attribute("data-state", "on")
        assert page.evaluate("window.untouched") is True
    town.close()
