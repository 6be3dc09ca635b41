"""What watches over a server that is to start again at each change."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from tests.commands import children, command_line, environment
from tests.postgres import alive
from tests.waiting import until
from typer.testing import CliRunner

from tawny.cli import root
from tawny.cli.reload import Reloader, folders


def test_the_help_says_what_it_is_for() -> None:
    said = CliRunner(env={"COLUMNS": "200"}).invoke(root.app, ["serve", "--help"]).output
    assert "--reload" in said
    assert "For development: start again whenever a Python file" in said


def test_the_app_is_watched_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for package in (here / "mine", there / "theirs"):
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
    (there / "single.py").touch()
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "path", [str(here), str(there), *sys.path])
    assert list(folders("mine.jobs:app")) == [here]
    assert list(folders("theirs.jobs:app")) == [here, there / "theirs"]
    assert list(folders("single:app")) == [here, there]
    assert list(folders("nowhere:app")) == list(folders(":")) == list(folders("sys:app")) == [here]


async def test_a_server_that_does_not_stop_is_killed_in_the_end(tmp_path: Path) -> None:
    # A worker, which waits for its server here: any command will do.
    reloader = Reloader(["work"], environment(TAWNY_DATA_DIR=str(tmp_path)), patience=0.1)
    running = asyncio.create_task(reloader.run())

    async def started() -> int | None:
        return next((pid for pid in children(os.getpid()) if "work" in command_line(pid)), None)

    pid = await until(started, "a child")
    os.kill(pid, signal.SIGSTOP)
    reloader.ask_to_stop()
    await running
    assert not alive(pid)
