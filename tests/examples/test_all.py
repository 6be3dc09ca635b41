"""Every example is small, says how it is run, is an app, is listed, is tested, and passes mypy as its author would run it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tawny.jobs import load_app

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
MOST_LINES = 60

files = sorted(EXAMPLES.glob("*.py"))
every_example = pytest.mark.parametrize("example", files, ids=lambda path: path.stem)


@every_example
def test_it_is_one_idea_on_one_page(example: Path) -> None:
    assert len(example.read_text().splitlines()) <= MOST_LINES


@every_example
def test_it_says_what_it_shows_how_to_run_it_and_what_to_look_at(example: Path) -> None:
    said = ast.get_docstring(ast.parse(example.read_text())) or ""
    assert re.search(rf"^(Run it|And): +tawny (serve|work) --app examples\.{example.stem}:app$", said, re.MULTILINE)
    assert re.search("^Try it: +.", said, re.MULTILINE)
    assert re.search(r"\bLook at\b", said)


@every_example
def test_the_jobs_that_it_triggers_are_its_own(example: Path) -> None:
    triggered = re.findall(r"\btrigger (\w+) '", ast.get_docstring(ast.parse(example.read_text())) or "")
    assert set(triggered) <= load_app(f"examples.{example.stem}:app").jobs.keys()


def test_the_index_lists_them_all() -> None:
    listed = re.findall(r"^\| \[(\w+\.py)\]\(\1\) \| \S", (EXAMPLES / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == [example.name for example in files]


def test_each_has_a_test() -> None:
    assert [example.name for example in files if not (Path(__file__).parent / f"test_{example.name}").exists()] == []


@pytest.mark.walk
def test_they_pass_mypy_strict_without_our_settings(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path}", str(EXAMPLES)]
    told = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert told.returncode == 0, told.stdout + told.stderr
