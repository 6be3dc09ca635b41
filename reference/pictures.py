"""Pictures of every page of the dashboard, light and dark, wide and narrow. `scripts/screenshots` takes them."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page, expect, sync_playwright
from tests.browser.conftest import ARGUMENTS, CHROMIUM, Town
from tests.commands import Serving

ROOT: Final = Path(__file__).parents[1]
APP: Final = Path(__file__).with_name("shop.py")
SIZES: Final = {"wide": (1280, 800), "narrow": (360, 740)}
SCHEMES: Final = ("light", "dark")


def main(folder: Path) -> None:
    """Take all of them into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        Path(place, APP.name).write_text(APP.read_text())
        with Serving(Path(place), "--port", "0", "--app", "shop:app", command="serve") as serving:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
            town = Town(serving.wait_until_up(), browser)
            take_all(town, pages(town), folder)
            town.close()
            browser.close()


def pages(town: Town) -> dict[str, str]:
    """The address of each page, by the name of its picture, in a team where something goes on."""
    shop, wholesale = town.project("Corner shop"), town.project("Wholesale")
    for day in range(1, 15):
        town.trigger("stock_report", project_id=shop, day=f"2026-11-{day:02}")
    failed = town.trigger("invoice_export", project_id=shop, month="2026-10")
    town.trigger("price_check", project_id=wholesale, supplier="Acme")
    done = town.trigger("catalog_import", project_id=wholesale, source="winter.csv", rows=60, pause_ms=10)
    running = town.trigger("catalog_import", project_id=shop, source="acme-2026-11.csv", rows=4800, pause_ms=40, api_token="t-1")  # noqa: S106
    for run_id, status in ((failed, "Failed"), (done, "Completed")):
        _wait_for(town, run_id, status)
    return {
        "runs": "runs",
        "runs-failed": "runs?status=failed&since=24h",
        "runs-none": "runs?search=nothing-like-this",
        "run": f"runs/{running}",
        "run-failed": f"runs/{failed}",
        "run-completed": f"runs/{done}",
        "jobs": "run-a-job",
        "run-a-job": f"run-a-job?from={running}",
        "cancel": f"runs/{running}/cancel",
        "nothing": "runs/open?run_id=x",
        "sign-in": "/sign-in",
    }


def _wait_for(town: Town, run_id: str, status: str) -> None:
    page = town.window()
    page.goto(town.path(f"runs/{run_id}"))
    expect(page.locator("#head .status")).to_have_text(status, timeout=60_000)


def take_all(town: Town, found: dict[str, str], folder: Path) -> None:
    for scheme in SCHEMES:
        for size, (width, height) in SIZES.items():
            for name, path in found.items():
                page = town.window(
                    signed_in=not path.startswith("/"), viewport={"width": width, "height": height}, color_scheme=scheme
                )
                _take(page, town, path, folder / f"{name}-{scheme}-{size}.png")
                page.context.close()


def _take(page: Page, town: Town, path: str, file: Path) -> None:
    page.goto(f"{town.address}{path}" if path.startswith("/") else town.path(path))
    live: Any = page.locator("[data-live]:not([data-ended]) [data-live-state]")
    if live.count():
        expect(live.first).to_have_attribute("data-state", "on")
    if page.locator(".pace").count():
        expect(page.locator(".pace")).not_to_be_empty()
    page.screenshot(path=file, animations="disabled")
    print(file)  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs/images/dashboard")
