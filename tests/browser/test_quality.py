"""Every page: readable by everybody, safe from what is stored, light, and fit for a telephone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import Town
from tests.browser.places import NO_PAGES, places

from tawny.dashboard.door import PAGES

pytestmark = pytest.mark.walk

AXE = Path(__file__).with_name("vendor").joinpath("axe.js").read_text()
WEIGHT = 150_000
"""Bytes that may come over the wire for a page and all that it loads, nothing kept from before."""

FIRST_PAINT = """new Promise(known => {
    const look = new PerformanceObserver(list => {
        for (const paint of list.getEntriesByName('first-contentful-paint')) known(paint.startTime);
    });
    look.observe({type: 'paint', buffered: true});
})"""

PAYLOADS = (
    '<img src=x onerror="window.pwned=1">',
    "</script><script>window.pwned=1</script>",
    "javascript:window.pwned=1",
    '"><svg onload=window.pwned=1>',
    "{{ 7*7 }}{% raw %}",
)


@pytest.fixture(scope="module")
def pages(one_town: Town) -> dict[str, str]:
    """An address of each page."""
    return places(one_town)


def test_every_page_is_among_them(pages: dict[str, str]) -> None:
    declared = {page.path for page in PAGES if page.method == "GET"}
    assert {what.partition(" ")[0] for what in pages} | NO_PAGES.keys() == declared


def serious(page: Page) -> list[str]:
    page.evaluate(AXE)
    found: Any = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']}: {violation['nodes'][0]['html'][:200]}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_people_from_using_a_page(town: Town, pages: dict[str, str], scheme: Any) -> None:
    page = town.window(color_scheme=scheme, reduced_motion="reduce")
    found = {}
    for name, path in pages.items():
        page.goto(f"{town.address}{path}")
        found[name] = serious(page)
    signing_in = town.window(signed_in=False, color_scheme=scheme)
    signing_in.goto(f"{town.address}/sign-in")
    found["sign in"] = serious(signing_in)
    assert {name: problems for name, problems in found.items() if problems} == {}


def test_360_pixels_are_enough(town: Town, pages: dict[str, str]) -> None:
    page = town.window(viewport={"width": 360, "height": 740})
    wide = {}
    for name, path in pages.items():
        page.goto(f"{town.address}{path}")
        wide[name] = page.evaluate("document.documentElement.scrollWidth")
    assert {name: width for name, width in wide.items() if width > 360} == {}


def test_the_menu_of_a_telephone_shows_where_one_is(town: Town) -> None:
    page = town.window(viewport={"width": 360, "height": 740})
    for place in ("overview", "workers", "settings"):
        page.goto(town.path(place))
        expect(page.locator(".places [aria-current]")).to_be_in_viewport(ratio=1)
    page.goto(town.path("workers"))
    labels = page.evaluate(
        "[...document.querySelectorAll('td[data-label]')].map(td => getComputedStyle(td, '::before').textAlign)"
    )
    assert set(labels) == {"left"}


def test_dark_is_dark_by_the_system_and_by_choice(town: Town) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = town.window(color_scheme="light"), town.window(color_scheme="dark")
    light.goto(town.path("runs"))
    dark.goto(town.path("runs"))
    assert light.evaluate(ground) == "rgb(248, 247, 244)"
    assert dark.evaluate(ground) == "rgb(20, 19, 16)"
    light.get_by_role("button", name="Change to dark").click()
    expect(light.locator("html")).to_have_attribute("data-theme", "dark")
    assert light.evaluate(ground) == "rgb(20, 19, 16)"


@pytest.mark.parametrize("payload", PAYLOADS)
def test_what_is_stored_is_text_whatever_it_says(town: Town, payload: str) -> None:
    """Params, keys of params, progress, log lines and their fields, errors, results, names of projects: each shown as it is."""
    project = town.project(payload[:60])
    broken = town.trigger("broken", text=payload, project_id=project)
    catalog = town.trigger("catalog", rows=30, note=payload, source=payload, project_id=project)
    page = town.window()
    page.on("dialog", lambda dialog: town.complaints.append(dialog.message))
    for path in (
        f"runs?project_id={project}&search={payload[:8]}",
        f"runs?project_id={project}",
        f"runs/{catalog}",
        f"runs/{broken}",
    ):
        page.goto(town.path(path))
    expect(page.locator("#head .status")).to_have_text("Failed")
    expect(page.locator(".note.bad .prose")).to_have_text(payload)
    expect(page.locator("#lines li").first).to_contain_text(payload)
    page.locator("#copies summary").click()
    page.goto(town.path(f"run-a-job?from={catalog}"))
    expect(page.get_by_label("Note")).to_have_value(payload)
    assert page.evaluate("window.pwned") is None
    assert page.locator("img, script:not([src])").count() == 0


def test_pages_are_light_and_quick_to_show(town: Town, pages: dict[str, str], say: Callable[[str], None]) -> None:
    page, answers = town.window(), []
    devtools = page.context.new_cdp_session(page)
    devtools.send("Network.enable")
    devtools.send("Network.setCacheDisabled", {"cacheDisabled": True})
    page.on("requestfinished", lambda request: answers.append(request))
    for name, path in pages.items():
        answers.clear()
        page.goto(f"{town.address}{path}")
        paint = page.evaluate(FIRST_PAINT)
        weight = sum(request.sizes()["responseBodySize"] for request in answers)
        say(f"{name}: {weight / 1000:.0f} kB, first paint after {paint:.0f} ms")
        assert 0 < weight < WEIGHT, name
