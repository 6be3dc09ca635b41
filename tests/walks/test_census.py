"""The demo job from trigger to result, over HTTP, on a server as it is started."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sysconfig
import tokenize
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from tests.commands import Serving
from tests.walks.caller import Caller
from tests.walks.database import events_of

from tawny.demo import CHECKPOINT_EVERY

pytestmark = pytest.mark.walk

LEASE = 2.0
numbers = itertools.count(1)
PACKAGES = [".", "asyncio", "email", "encodings", "json", "logging", "multiprocessing", "xml"]
NO_LARGER = 20_000  # bytes: tokenizing large files takes Python long


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real source in the folder that the operator allows, more of it than fits between two checkpoints; and ways out of it."""
    root = tmp_path_factory.mktemp("census") / "allowed"
    library = Path(sysconfig.get_paths()["stdlib"])
    for package in PACKAGES:
        (root / package).mkdir(parents=True, exist_ok=True)
        for module in (library / package).glob("*.py"):
            if module.stat().st_size < NO_LARGER:
                shutil.copy(module, root / package)
    (root / "broken.py").write_text("def (:\n")
    (root / "way_out").symlink_to(library)
    (root.parent / "outside").mkdir()
    return root


@pytest.fixture(scope="module")
def served(tree: Path) -> Iterator[Serving]:
    with Serving(tree.parent / "server", "--port", "0", TAWNY_LEASE=f"{LEASE}s", TAWNY_CENSUS_ROOT=str(tree)) as serving:
        yield serving.wait_until_up()


@pytest.fixture
def caller(served: Serving) -> Iterator[Caller]:
    with Caller.greeted_by(served) as first, first.in_project(served, f"walk-{next(numbers)}") as caller:
        yield caller


@pytest.fixture(scope="module")
def counted(tree: Path) -> dict[str, int]:
    """The census of the tree by other means: find, grep, and the tokens of each file."""
    found = subprocess.run(
        ["find", tree, "-name", "*.py", "-type", "f", "!", "-name", "broken.py"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    lines = subprocess.run(["grep", "-hc", "", *found], capture_output=True, text=True, check=False).stdout.split()
    return {
        "files": len(found),
        "lines": sum(map(int, lines)),
        "functions": sum(map(_functions, found)),
        "skipped": 1,
    }


def _functions(path: str) -> int:
    with tokenize.open(path) as file:
        return sum(token.string == "def" for token in tokenize.generate_tokens(file.readline) if token.type == tokenize.NAME)


def counts(result: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name != "longest"}


def test_progress_moves_while_it_runs_and_the_totals_are_right(caller: Caller, tree: Path, counted: dict[str, int]) -> None:
    run_id = caller.trigger("code_census", folder=".", pause_ms=8)
    seen: list[int] = []
    for _ in range(3):
        moved = caller.sees(run_id, lambda run: run["status"] == "running" and _processed(run) > max(seen, default=0))
        seen.append(_processed(moved))
    run = caller.ended(run_id)
    assert run["status"] == "completed"
    assert counts(run["result"]) == counted
    assert run["progress"]["processed"] == run["progress"]["total"] == counted["files"] + counted["skipped"]
    longest = run["result"]["longest"]
    assert [function["lines"] for function in longest] == sorted((function["lines"] for function in longest), reverse=True)
    assert all(f"def {function['name']}(" in (tree / function["file"]).read_text() for function in longest)


def _processed(run: dict[str, Any]) -> int:
    processed: int = (run["progress"] or {"processed": 0})["processed"]
    return processed


def test_a_cancel_midway_keeps_the_progress(caller: Caller, say: Callable[[str], None]) -> None:
    run_id = caller.trigger("code_census", folder=".", pause_ms=50)
    before = caller.sees(run_id, lambda run: _processed(run) > 0)
    asked = monotonic()
    caller.cancel(run_id)
    run = caller.ended(run_id)
    say(f"cancelled {monotonic() - asked:.2f} s after it was asked for")
    assert run["status"] == "cancelled"
    assert _processed(before) <= _processed(run) < run["progress"]["total"]
    assert (run["result"], run["error"]) == (None, None)


def test_a_killed_worker_costs_no_more_than_the_way_from_the_checkpoint(
    caller: Caller, served: Serving, counted: dict[str, int], say: Callable[[str], None]
) -> None:
    run_id = caller.trigger("code_census", folder=".", pause_ms=10)
    before = caller.sees(run_id, lambda run: _processed(run) > CHECKPOINT_EVERY)
    killed = monotonic()
    os.kill(served.worker, signal.SIGKILL)
    caller.sees(run_id, lambda run: run["status"] == "running" and run["started_at"] != before["started_at"])
    say(f"running again {monotonic() - killed:.2f} s after the kill, with a lease of {LEASE} s")
    seen: list[int] = []

    def completed(run: dict[str, Any]) -> bool:
        seen.append(_processed(run))
        return bool(run["status"] == "completed")

    run = caller.sees(run_id, completed)
    assert counts(run["result"]) == counted
    assert min(seen) >= CHECKPOINT_EVERY
    assert events_of(served.folder / ".tawny", run_id) == ["triggered", "started", "lost", "started", "completed"]


def test_nothing_outside_the_allowed_folder_is_read(caller: Caller) -> None:
    for folder in ("..", "/", "../outside", "way_out", "missing"):
        run = caller.ended(caller.trigger("code_census", folder=folder))
        assert (run["status"], run["result"], run["progress"]) == ("failed", None, None), folder
        assert run["error"] == "There is no such folder in the one that the operator allows by TAWNY_CENSUS_ROOT."
