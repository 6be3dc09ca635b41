"""A backup that is taken while everything goes on, and what becomes of it on another machine."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import pytest
from tests.commands import Serving, tawny
from tests.walks.caller import ENDED, Caller
from tests.walks.database import events_of
from tests.walks.house import House

pytestmark = pytest.mark.walk


def without_a_break(caller: Caller, acknowledged: list[str], enough: Event) -> None:
    """Ask for one run after the other."""
    while not enough.is_set():
        acknowledged.append(caller.trigger("short", number=len(acknowledged)))


def test_what_was_acknowledged_before_a_backup_ends_once_after_a_restore(tmp_path: Path, say: Callable[[str], None]) -> None:
    first, second, file = House(tmp_path / "first"), House(tmp_path / "second"), tmp_path / "tawny.backup"
    for house in (first, second):
        house.folder.mkdir()
    acknowledged: list[str] = []
    with first.serve("--concurrency", "4") as serving, Caller.greeted_by(serving.wait_until_up()) as caller:
        whole = caller.ended(caller.trigger("neighbour_0", count=2))
        under_way = caller.trigger("steps", count=400)
        saved = first.ledger.wait_for(under_way, what="stepped", at_least=5)[-1]["step"]
        enough = Event()
        client = Thread(target=without_a_break, args=(caller, acknowledged, enough))
        client.start()
        first.ledger.wait_for(under_way, what="stepped", at_least=15)
        before = list(acknowledged)
        done = tawny(serving.folder, "admin", "backup", str(file))
        enough.set()
        client.join()
        assert done.returncode == 0, done.stderr
        os.kill(serving.process.pid, signal.SIGKILL)
    assert before

    begun = monotonic()
    done = tawny(tmp_path, "admin", "restore", str(file), "--data-dir", str(second.state))
    assert (done.returncode, done.stderr) == (0, "")
    with second.serve() as serving, caller.at(serving.wait_until_up()) as caller:
        say(f"a backup with {len(before)} runs and one under way was served again after {monotonic() - begun:.1f} s")
        assert caller.run(whole["id"]) == whole
        again = second.ledger.wait_for(under_way, what="started")[0]
        assert again["attempt"] == 2
        assert again["done"] >= saved
        ended = [caller.ended(run_id) for run_id in before]
        assert {run["status"] for run in ended} == {"completed"}
        for run_id in before:
            assert len(ENDED & set(events_of(second.state, run_id))) == 1
        caller.cancel(under_way)
        assert caller.ended(under_way)["status"] == "cancelled"


def test_a_server_that_runs_is_not_restored_over(tmp_path: Path) -> None:
    file = tmp_path / "tawny.backup"
    with Serving(tmp_path / "one", "--port", "0", "--no-worker") as serving:
        serving.wait_until_up(worker=False)
        assert tawny(serving.folder, "admin", "backup", str(file)).returncode == 0
        done = tawny(serving.folder, "admin", "restore", str(file))
        assert done.returncode == 1
        assert "already" in done.stderr or "in use" in done.stderr, done.stderr
        assert serving.process.poll() is None
