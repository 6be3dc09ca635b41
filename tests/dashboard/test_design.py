"""The page about the design says what the stylesheet does, and both are readable."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.dashboard.contrast import PAIRS, STYLESHEET, colours, contrast, rows

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted((ROOT / "src/tawny/dashboard/templates").glob("*.html"))
SCRIPTS = [path for path in sorted(STYLESHEET.parent.glob("*.js")) if path.name not in ("htmx.js", "uplot.js")]


@pytest.mark.parametrize(("text", "ground", "least"), PAIRS)
def test_what_is_written_can_be_read(text: str, ground: str, least: float) -> None:
    found = colours()
    assert contrast(found[text].light, found[ground].light) >= least
    assert contrast(found[text].dark, found[ground].dark) >= least


def test_the_page_has_the_figures() -> None:
    page = (ROOT / "docs/dashboard.md").read_text()
    assert re.findall(r"^\| `[\w-]+` \| #.+$", page, re.MULTILINE) == rows()


def test_no_colour_is_outside_the_tokens() -> None:
    _, _, rules = STYLESHEET.read_text().partition("/* Ground */")
    assert re.findall(r"#[0-9a-f]{3,8}\b", rules) == []


def test_no_size_of_type_is_outside_the_scale() -> None:
    sizes = re.findall(r"font-size: ([^;]+);", STYLESHEET.read_text())
    assert {size for size in sizes if not size.startswith("var(--text-")} <= {"16px", "0.92em"}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_templates_hold_nothing_that_the_policy_refuses(template: Path) -> None:
    text = template.read_text()
    assert re.findall(r"\| *safe\b|\bstyle=|\son\w+=|hx-on|javascript:|<style|<script(?![^>]* src=)", text) == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_write_no_markup(script: Path) -> None:
    assert (
        re.findall(r"\.innerHTML|\.outerHTML *=|insertAdjacentHTML|document\.write|\beval\b|new Function", script.read_text())
        == []
    )


def test_vendored_files_have_their_licence_beside_them() -> None:
    for name in ("htmx", "uplot"):
        assert STYLESHEET.with_name(f"{name}.LICENSE").stat().st_size > 100
