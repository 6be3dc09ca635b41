"""Workers come, work, drain and go before one's eyes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from tests.browser.conftest import Town
from tests.commands import Serving

pytestmark = pytest.mark.walk


def test_a_worker_is_seen_with_what_it_runs_and_draining_once_it_is_stopped(chromium: Browser, tmp_path: Path) -> None:
    shutil.copy(Path(__file__).with_name("author.py"), tmp_path)
    may_end = tmp_path / "may-end"
    with Serving(tmp_path, "--port", "0", "--app", "author:app", "--no-worker", command="serve") as serving:
        town = Town(serving.wait_until_up(worker=False), chromium)
        page = town.window(viewport={"width": 360, "height": 740})
        page.goto(town.path("workers"))
        expect(page.get_by_role("heading", name="No worker is alive")).to_be_visible()
        expect(page.locator("#workers")).to_contain_text("tawny work")
        expect(page.locator("[data-live-state]")).to_have_attribute("data-state", "on")
        page.evaluate("window.untouched = true")
        run_id = town.trigger("patient", file=str(may_end))
        with Serving(tmp_path, "--app", "author:app", command="work", TAWNY_DRAIN="60s") as working:
            worker = page.locator(f'[data-worker$=":{working.process.pid}"]')
            expect(worker).to_contain_text("Alive")
            expect(worker.locator(f'a[href$="{run_id}"]')).to_have_text("patient")
            expect(worker).to_contain_text(" MB")
            assert page.evaluate("document.documentElement.scrollWidth") <= 360
            working.process.terminate()
            expect(worker).to_contain_text("Draining")
            expect(worker).to_contain_text("takes nothing new")
            may_end.touch()
            expect(page.get_by_role("heading", name="No worker is alive")).to_be_visible()
        assert town.run(run_id)["status"] == "completed"
        assert page.evaluate("window.untouched") is True
        town.close()
        assert town.complaints == []
