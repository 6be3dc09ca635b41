"""`scripts/seed`: how long pages of the dashboard take where many runs are stored, what they weigh, when they are first seen."""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any, Final
from urllib.parse import quote

import asyncpg
import httpx
from playwright.sync_api import Browser, sync_playwright
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.commands import Serving

from bench.database import GIVEN, asking, database
from bench.options import Sizes
from bench.seed import STORED_TYPES, Seeded, seed
from tawny.access import ensure_user, open_session

RUNS: Final = 1_000_000
ASKED: Final = 20
SECRET: Final = "the secret of a server that is measured"


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one page: milliseconds of its answers, kilobytes with all that it loads, milliseconds until something is seen."""

    times: list[float]
    weight: float
    painted: float

    @property
    def p95(self) -> float:
        return quantiles(self.times, n=20)[-1]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/seed", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help="how many runs are stored first")
    runs = parser.parse_args(arguments).runs
    with database() as url, tempfile.TemporaryDirectory() as folder:
        begun = perf_counter()
        seeded = asking(url, lambda conn: seed(conn, Sizes(rows=runs)))
        print(f"stored {runs:,} runs in {perf_counter() - begun:.0f} s")
        slug, session = asking(url, lambda conn: _somebody(conn, seeded))
        settings = {
            GIVEN: url,
            "TAWNY_SECRET": SECRET,
            "TAWNY_APP": "bench.app:app",
            "PYTHONPATH": str(Path(__file__).parents[1]),
        }
        with Serving(Path(folder), "--port", "0", "--no-worker", command="serve", **settings) as serving:
            address = serving.wait_until_up(worker=False).address
            show(measure(address, session, pages(slug, seeded)))


async def _somebody(conn: asyncpg.Connection, seeded: Seeded) -> tuple[str, str]:
    """The team's slug, and a session of its owner."""
    slug = await conn.fetchval("select slug from teams where id = $1", seeded.team_id)
    _, token = await open_session(conn, SECRET.encode(), await ensure_user(conn, "owner@example.com"))
    return str(slug), token


def pages(slug: str, seeded: Seeded) -> dict[str, str]:
    """What is asked for, by the words that the table shows."""
    team, project = f"/teams/{slug}", seeded.project_ids[0]
    return {
        "runs": f"{team}/runs",
        "runs, failed": f"{team}/runs?status=failed",
        "runs, one type and project": f"{team}/runs?job_type={STORED_TYPES[0]}&project_id={project}",
        "runs, three quarters back": f"{team}/runs?cursor={quote(seeded.cursors[0])}",
        "runs, text found": f"{team}/runs?search=2026",
        "runs, text nowhere": f"{team}/runs?search=nothing-has-this",
        "a run": f"{team}/runs/{seeded.run_ids[0]}",
        "run a job": f"{team}/run-a-job",
    }


def measure(address: str, session: str, found: dict[str, str]) -> dict[str, Figures]:
    with (
        sync_playwright() as playwright,
        httpx.Client(base_url=address, cookies={"tawny_session": session}, timeout=60) as http,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        figures = {name: _figures(http, browser, address, session, path) for name, path in found.items()}
        browser.close()
    return figures


def _figures(http: httpx.Client, browser: Browser, address: str, session: str, path: str) -> Figures:
    times = [_asked(http, path) for _ in range(ASKED + 1)][1:]
    context = browser.new_context()
    context.add_cookies([{"name": "tawny_session", "value": session, "url": address}])
    page, sizes = context.new_page(), []

    def note(answer: Any) -> None:
        sizes.append(_size(answer))

    page.on("response", note)
    page.goto(f"{address}{path}", wait_until="load")
    painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0")
    page.remove_listener("response", note)
    weight = sum(sizes) / 1000
    context.close()
    return Figures(times, weight, painted)


def _asked(http: httpx.Client, path: str) -> float:
    begun = perf_counter()
    answer = http.get(path)
    assert answer.status_code == 200, (path, answer.status_code, answer.text[:500])
    return (perf_counter() - begun) * 1000


def _size(answer: Any) -> int:
    return 0 if "event-stream" in answer.headers.get("content-type", "") else len(answer.body())


def show(figures: dict[str, Figures]) -> None:
    print(f"{'page':30} {'median':>9} {'p95':>9} {'weight':>9} {'first paint':>12}")
    for name, of in figures.items():
        print(f"{name:30} {median(of.times):6.0f} ms {of.p95:6.0f} ms {of.weight:6.0f} kB {of.painted:9.0f} ms")


if __name__ == "__main__":
    main(sys.argv[1:])
