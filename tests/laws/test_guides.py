"""The guides show code that is there, or that works: no block of theirs is only prose.

A block of Python names a file. One of this repository (`python examples/resume.py`) is an excerpt of it, word for word. Any other
(`python jobs.py`) is that file as a reader would save it: it passes mypy --strict, loads as an app where it defines one, and its
tests pass. A configuration (`ini pgbouncer.ini`) can be read as one; the walk of what it belongs to starts with it. Lines for a
shell (`sh`) name only settings and commands that there are.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.main import get_command

from tawny.builtin import jobs_beside
from tawny.cli.root import app
from tawny.config import OF_USERS, PREFIX, Settings

ROOT = Path(__file__).parents[2]
GUIDES = sorted((ROOT / "docs/guides").glob("*.md"))
MOST_LINES = 150

INFO = re.compile(r"python \S+\.py|ini \S+\.(ini|service)|sh")
BLOCK = re.compile(r"^```(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

every_guide = pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)


@dataclass(frozen=True)
class Block:
    """A fenced block: `language file`, and what is in it."""

    info: str
    code: str

    @property
    def language(self) -> str:
        return self.info.partition(" ")[0]

    @property
    def file(self) -> str:
        return self.info.partition(" ")[2]

    @property
    def is_excerpt(self) -> bool:
        return "/" in self.file


def blocks(page: str) -> list[Block]:
    return [Block(*found) for found in BLOCK.findall(page)]


def saved(guide: Path) -> Iterator[Block]:
    return (block for block in blocks(guide.read_text()) if block.language == "python" and not block.is_excerpt)


def is_excerpt_of(code: str, whole: str) -> bool:
    """Whether these lines stand in the file, one after the other, from the beginning of a line on."""
    return f"\n{code}" in f"\n{whole}"


def python(folder: Path, *arguments: str) -> None:
    """Run Python in this folder, as somebody who knows nothing of ours would; fail with what it said."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith(("TAWNY_", "PYTEST_"))},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@every_guide
def test_it_is_one_page(guide: Path) -> None:
    assert len(guide.read_text().splitlines()) <= MOST_LINES


@every_guide
def test_it_shows_code_before_it_explains(guide: Path) -> None:
    assert guide.read_text().index("```") < guide.read_text().index("\n## ")


@every_guide
def test_each_block_says_what_it_is_and_names_its_file(guide: Path) -> None:
    assert [block.info for block in blocks(guide.read_text()) if not INFO.fullmatch(block.info)] == []


@every_guide
def test_a_configuration_can_be_read_as_one(guide: Path) -> None:
    for block in blocks(guide.read_text()):
        if block.language == "ini":
            ConfigParser().read_string(block.code)


@every_guide
def test_lines_for_a_shell_name_only_what_there_is(guide: Path) -> None:
    assert [block.code for block in blocks(guide.read_text()) if block.language == "sh" and unknown_in(block.code)] == []


def unknown_in(lines: str) -> set[str]:
    """The settings and the commands in these lines for a shell that Tawny does not have."""
    settings = {f"{PREFIX}{name}".upper() for name in Settings.model_fields} | OF_USERS
    commands = get_command(app).commands
    calls = re.findall(r"(?<![\w/.:])tawny ([a-z]+(?:-[a-z]+)*)(?: ([a-z][a-z-]*))?", lines)
    unknown = {f"tawny {name}" for name, _ in calls if name not in commands}
    groups = {name: command.commands for name, command in commands.items() if hasattr(command, "commands")}
    unknown |= {f"tawny {name} {inner}" for name, inner in calls if name in groups and inner not in groups[name]}
    return unknown | (set(re.findall(rf"\b{PREFIX}\w+", lines)) - settings)


def test_what_there_is_not_is_seen() -> None:
    assert unknown_in("export TAWNY_LEASE=30s\ntawny serve --port 0\npsql postgresql://tawny@db/tawny\n") == set()
    assert unknown_in("TAWNY_LEAS=30s tawny server\ntawny work\n") == {"TAWNY_LEAS", "tawny server"}


@every_guide
def test_an_excerpt_is_what_stands_in_the_file(guide: Path) -> None:
    excerpts = [block for block in blocks(guide.read_text()) if block.is_excerpt]
    assert [block.info for block in excerpts if not is_excerpt_of(block.code, (ROOT / block.file).read_text())] == []


def test_a_changed_excerpt_is_seen() -> None:
    whole = "import os\n\n\ndef f() -> None:\n    g()\n"
    assert is_excerpt_of("def f() -> None:\n", whole)
    assert not is_excerpt_of("f() -> None:\n", whole)
    assert not is_excerpt_of("def f(x) -> None:\n", whole)


@pytest.mark.walk
@every_guide
def test_what_a_reader_saves_works(guide: Path, tmp_path: Path) -> None:
    files = list(saved(guide))
    if not files:
        return
    assert len({block.file for block in files}) == len(files), "a file is shown twice"
    for block in files:
        (tmp_path / block.file).write_text(block.code)
    python(tmp_path, "-m", "mypy", "--strict", "--config-file=", "--cache-dir=.mypy_cache", ".")
    for block in files:
        if "app = Tawny(" in block.code:
            python(tmp_path, "-c", f"from tawny.jobs import load_app; assert load_app('{Path(block.file).stem}:app').jobs")
    if any(block.file.startswith("test_") for block in files):
        python(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider")


def test_the_guide_to_schedules_names_each_system_job_of_the_server_and_when_it_runs() -> None:
    own = jobs_beside({}, Settings()).values()
    runs_at = {job.name: "{1:0>2}:{0:0>2}".format(*job.cron.split()) for job in own if job.cron}
    rows = re.findall(r"^\| `(tawny\.\w+)` \| (\d\d:\d\d) \|", (ROOT / "docs/guides/schedules.md").read_text(), re.MULTILINE)
    assert runs_at
    assert dict(rows) == runs_at
