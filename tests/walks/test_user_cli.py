"""Somebody at a real terminal, beside a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from reference.screens import EXPORT, Desk, desk

pytestmark = pytest.mark.walk


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path) as made:
        yield made


def test_from_nothing_to_a_run_that_was_watched_stopped_and_left(at: Desk) -> None:
    with at.terminal() as terminal:
        overview = terminal.run("tawny --help")
        assert "Use a server:" in overview
        assert "tawny: You are not signed in" in terminal.run("tawny jobs list")
        assert "project first-project" in at.sign_in(terminal).replace("\n", " ")
        assert "No runs yet. Start one: tawny jobs trigger" in terminal.run("tawny jobs list")
        assert "Example:" in terminal.run("tawny jobs watch --help")

        # The bar, which goes on to the end.
        terminal.start(f"{EXPORT} --param stop_at=100 --param invoices=200 --wait")
        screen = terminal.wait_for("100/200")
        assert "running" in screen
        assert " 50%" in screen
        assert "Exported 100 of 200 invoices" in screen
        assert max(map(len, screen.splitlines())) <= 80
        at.go()
        ended = terminal.finish()
        assert "invoice_export completed in" in ended
        assert '"exported": 200' in ended
        at.stop()

        # Ctrl-C asks; the run goes on, is found as active, watched again and cancelled.
        terminal.start(f"{EXPORT} --param stop_at=50 --wait")
        terminal.wait_for("50/1,200")
        terminal.press("C-c")
        terminal.wait_for("go on watching (w)?")
        terminal.type("l")
        left = terminal.finish()
        assert "The run goes on" in left
        assert "Traceback" not in left
        refused = terminal.run(f"{EXPORT}; echo code=$?")
        assert "is already running for this project" in refused.replace("\n", " ")
        assert refused.endswith("code=4")
        run_id = terminal.run('tawny jobs list --status running --json | grep -o \'"id": "[^"]*\' | cut -c8-').splitlines()[-1]
        terminal.start(f"tawny jobs watch {run_id[-8:]}; echo code=$?")
        terminal.wait_for("50/1,200")
        terminal.press("C-c")
        terminal.wait_for("go on watching (w)?")
        terminal.type("c")
        assert terminal.finish().endswith("code=1")

        # Whoever reads our output may have had enough.
        assert terminal.run("tawny jobs types --json | head -1; echo code=${PIPESTATUS[0]}").splitlines()[1] == "["
        assert "Broken" not in terminal.run("tawny jobs types --json | true")

        # What a failed run says, and tables that fit.
        failed = terminal.run("tawny jobs trigger contact_import --wait; echo code=$?")
        assert "attempt 1 failed: TimeoutError: crm did not answer" in failed
        assert failed.endswith("code=1")
        listed = terminal.run("tawny jobs list")
        assert max(map(len, listed.splitlines())) <= 80
        assert [line.split()[2] for line in listed.splitlines()[2:]] == ["failed", "cancelled", "completed"]
    with at.terminal(columns=120) as terminal:
        listed = terminal.run("tawny jobs list")
        assert max(map(len, listed.splitlines())) <= 120
        assert run_id in listed


def test_a_server_that_is_away_for_a_moment_is_no_error(at: Desk) -> None:
    with at.terminal() as terminal:
        at.sign_in(terminal)
        terminal.start(f"{EXPORT} --param stop_at=100 --param invoices=200 --wait")
        terminal.wait_for("100/200")
        at.restart()
        at.go()
        ended = terminal.finish()
        assert "attempt 2 started" in ended
        assert "invoice_export completed in" in ended
