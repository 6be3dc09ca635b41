"""The documents are true about themselves: what they link to, name and list is there."""

from __future__ import annotations

import os
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
DECISIONS = DOCS / "decisions"
NOT_OURS = {"build", "dist", "node_modules"}

FENCE = re.compile(r"^(`{3,}|~{3,}).*?^\1`*\s*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)|^\[[^\]]+\]:\s*<?([^\s>]+)", re.MULTILINE)
HEADING = re.compile(r"^#{1,6} +(.+?)\s*#*$", re.MULTILINE)
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)

MACHINE_PATH = re.compile(r"(?<![\w.])/(?:(?:root|work)\b|(?:home|Users|tmp)/\w)|\b[A-Z]:\\")
PACKAGE_REGISTRY = re.compile(
    r"pypi\.|pythonhosted|https?://\S*(?:/simple\b|artifactory|devpi|nexus)|//registry\.|-index-url\b|INDEX_URL\b", re.IGNORECASE
)


def pages() -> Iterator[Path]:
    for folder, inside, files in os.walk(ROOT):
        inside[:] = sorted(name for name in inside if name not in NOT_OURS and (name == ".github" or not name.startswith(".")))
        yield from (Path(folder, name) for name in sorted(files) if name.endswith(".md"))


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


every_page = pytest.mark.parametrize("page", list(pages()), ids=name_of)
decisions = sorted(DECISIONS.glob("[0-9]*.md"))
every_decision = pytest.mark.parametrize("decision", decisions, ids=name_of)


# Links


def links(text: str) -> list[str]:
    prose = CODE.sub("", FENCE.sub("", text))
    return [found[1] or found[2] for found in LINK.finditer(prose)]


def broken_links(page: Path, root: Path = ROOT) -> list[str]:
    return [link for link in links(page.read_text()) if not ELSEWHERE.match(link) and not resolves(page, link, root)]


def resolves(page: Path, link: str, root: Path) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if link.startswith("/") or not target.is_relative_to(root.resolve()) or not target.exists():
        return False
    return not anchor or anchor in anchors(target.read_text())


def anchors(text: str) -> set[str]:
    """The anchors that a forge gives the headings of a page; the second of two equal ones gets `-1`."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return found


@every_page
def test_relative_links_resolve(page: Path) -> None:
    assert broken_links(page) == []


def test_every_page_of_the_documentation_is_in_an_index() -> None:
    indexes = [DOCS / "README.md", DECISIONS / "README.md"]
    linked = {(index.parent / link.partition("#")[0]).resolve() for index in indexes for link in links(index.read_text())}
    assert [name_of(page) for page in DOCS.rglob("*.md") if page.resolve() not in linked and page != indexes[0]] == []


@pytest.mark.parametrize(
    "text",
    [
        "[a](gone.md)",
        "[a](page.md#gone)",
        "[a](#gone)",
        "[a](/page.md)",
        "[a](../../../page.md)",
        '[a](gone.md "why")',
        "[a]: gone.md",
    ],
)
def test_a_broken_link_is_seen(text: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Here\n\n[b](page.md#here) [c](https://example.org) `[d](gone.md)`\n\n```\n[e](gone.md)\n```\n\n{text}\n")
    assert len(broken_links(page, tmp_path)) == 1


# Decisions


def test_decisions_are_numbered_without_gaps() -> None:
    assert decisions
    assert [decision.name[:5] for decision in decisions] == [f"{number:04}-" for number in range(1, len(decisions) + 1)]


@every_decision
def test_a_decision_says_its_number_date_and_reasons(decision: Path) -> None:
    text = decision.read_text()
    assert text.startswith(f"# {int(decision.name[:4])}. ")
    assert re.search(r"^Date: \d{4}-\d\d-\d\d$", text, re.MULTILINE)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Status", "Context", "Decision", "Consequences", "Alternatives"]


def test_the_index_of_decisions_names_each_by_its_title_and_status() -> None:
    rows = re.findall(r"^\| \[(.+)\]\((.+)\) \| (.+) \|$", (DECISIONS / "README.md").read_text(), re.MULTILINE)
    assert rows == [(title(text), decision.name, status(text)) for decision in decisions for text in [decision.read_text()]]


def title(decision: str) -> str:
    return decision.partition("\n")[0].removeprefix("# ")


def status(decision: str) -> str:
    return decision.partition("## Status\n\n")[2].partition(".")[0]


# Dependencies


def declared(project: dict[str, Any]) -> set[str]:
    optional = project["project"].get("optional-dependencies", {}).values()
    groups = project.get("dependency-groups", {}).values()
    needs = chain(project["build-system"]["requires"], project["project"]["dependencies"], *optional, *groups)
    return {package(need) for need in needs if isinstance(need, str)}


def package(requirement: str) -> str:
    """The normal form of a requirement's name: `Typing_Extensions[x]>=4; …` is `typing-extensions`."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def test_dependencies_are_explained_and_nothing_else_is() -> None:
    explained = re.findall(r"^\| `([^`]+)` \|", (DOCS / "dependencies.md").read_text(), re.MULTILINE)
    assert sorted(explained) == sorted(declared(tomllib.loads((ROOT / "pyproject.toml").read_text())))


def test_the_reason_for_a_dependency_is_not_left_empty() -> None:
    rows = re.findall(r"^\| `.+$", (DOCS / "dependencies.md").read_text(), re.MULTILINE)
    assert [row for row in rows if len([cell for cell in row.split("|") if cell.strip()]) != 4] == []


# Words


def test_the_glossary_is_in_order_and_names_each_word_once() -> None:
    words = re.findall(r"^\* \*\*(.+?)\*\*", (DOCS / "glossary.md").read_text(), re.MULTILINE)
    assert words
    assert words == sorted(set(words), key=str.casefold)


@every_page
def test_no_page_names_a_path_of_one_machine(page: Path) -> None:
    assert MACHINE_PATH.findall(page.read_text()) == []


@every_page
def test_no_page_names_a_package_registry(page: Path) -> None:
    assert PACKAGE_REGISTRY.findall(page.read_text()) == []


@pytest.mark.parametrize(
    "text", ["cd /home/someone/tawny", "(/root)", "`/tmp/try`", "file:///root/x", "C:\\Users", "/Users/someone"]
)
def test_a_path_of_one_machine_is_seen(text: str) -> None:
    assert MACHINE_PATH.search(text)


@pytest.mark.parametrize(
    "text", ["a folder under `/tmp`", "./tmp/x", "api/work", "https://example.org/home/x", "`/v1/teams/:id/jobs`", "/homework/x"]
)
def test_other_paths_are_fine(text: str) -> None:
    assert not MACHINE_PATH.search(text)


@pytest.mark.parametrize(
    "text",
    ["https://pypi.org/project/x", "http://10.0.0.1:3141/simple/", "pip install --index-url x", "https://registry.npmjs.org"],
)
def test_a_package_registry_is_seen(text: str) -> None:
    assert PACKAGE_REGISTRY.search(text)
