"""The demo counts a real tree, can be stopped, goes on where it was, and reads nothing that it may not."""

from __future__ import annotations

import ast
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.jobs.fake_port import FakePort, call

from tawny import JobFailed, RunCancelled, demo
from tawny.demo import app
from tawny.errors import InvalidRequest

CENSUS = app.jobs["code_census"]
NOT_ALLOWED = "There is no such folder in the one that the operator allows by TAWNY_CENSUS_ROOT."


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small tree that the operator allows: eleven functions in five files, and one file that does not parse."""
    root = tmp_path / "allowed"
    (root / "inner").mkdir(parents=True)
    (root / "a.py").write_text("def one():\n    pass\n\nasync def two():\n    def three(): pass\n    return three\n")
    (root / "b.py").write_text("class C:\n" + "".join(f"    def m{n}(self):\n" + "        1\n" * n for n in range(1, 8)))
    (root / "broken.py").write_text("def (:\n")
    (root / "empty.py").write_text("")
    (root / "inner" / "c.py").write_bytes(b'# coding: latin-1\nx = "\xe9\\d"\n@print\ndef long():\n' + b"    1\n" * 20)
    (root / "inner" / "d.py").write_text("lambda: 1")
    (root / "notes.txt").write_text("def not_counted(): pass\n")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "s.py").write_text("def secret(): pass\n")
    (root / "out").symlink_to(tmp_path / "secret")
    (root / "link.py").symlink_to(tmp_path / "secret" / "s.py")
    os.mkfifo(root / "pipe.py")
    monkeypatch.setenv("TAWNY_CENSUS_ROOT", str(root))
    return root


def census(port: FakePort | None = None, checkpoint: str | None = None, **sent: Any) -> dict[str, Any]:
    result: dict[str, Any] = call(CENSUS, port or FakePort(), sent, checkpoint=checkpoint)
    return result


def test_a_tree_is_counted(tree: Path) -> None:
    result = census(folder=".")
    assert {name: result[name] for name in ("files", "lines", "functions", "skipped")} == {
        "files": 5,
        "lines": 6 + 36 + 0 + 24 + 1,
        "functions": 3 + 7 + 1,
        "skipped": 1,
    }
    assert result["longest"][:3] == [
        {"name": "long", "file": "inner/c.py", "lines": 21},
        {"name": "m7", "file": "b.py", "lines": 8},
        {"name": "m6", "file": "b.py", "lines": 7},
    ]
    assert len(result["longest"]) == 10
    assert [entry["name"] for entry in result["longest"][-4:]] == ["two", "m2", "one", "m1"]


def test_every_file_is_reported_in_order(tree: Path) -> None:
    port = FakePort()
    census(port, folder="inner")
    assert port.reports == [
        {"processed": 0, "total": 2},
        {"processed": 1, "total": 2, "message": "c.py"},
        {"processed": 2, "total": 2, "message": "d.py"},
    ]


def test_it_goes_on_where_an_earlier_attempt_was(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "CHECKPOINT_EVERY", 2)
    whole = FakePort()
    expected = census(whole, folder=".")
    assert [saved["after"] for saved in whole.checkpoints] == ["b.py", "empty.py", "inner/d.py"]
    for saved in whole.checkpoints:
        port = FakePort()
        assert census(port, checkpoint=json.dumps(saved), folder=".") == expected
        assert port.reports[0]["processed"] == saved["files"] + saved["skipped"]


def test_a_file_that_came_meanwhile_is_not_counted_twice_nor_loses_the_place(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "CHECKPOINT_EVERY", 2)
    port = FakePort()
    expected = census(port, folder=".")
    (tree / "aa.py").write_text("def late(): pass\n")
    assert census(checkpoint=json.dumps(port.checkpoints[0]), folder=".") == expected


def test_a_cancel_stops_it_at_the_next_file(tree: Path) -> None:
    port = FakePort(cancel_requested=True)
    with pytest.raises(RunCancelled):
        census(port, folder=".")
    assert port.reports == [{"processed": 0, "total": 6}]


def test_a_cancel_ends_a_pause(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = FakePort()
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        port.cancel_requested = True

    monkeypatch.setattr(time, "sleep", sleep)
    with pytest.raises(RunCancelled):
        census(port, folder=".", pause_ms=1000)
    assert len(slept) == 1
    assert slept[0] <= 0.05


@pytest.mark.parametrize("pause", [-1, 1001, "soon"])
def test_a_pause_has_bounds(pause: Any) -> None:
    with pytest.raises(InvalidRequest, match="pause_ms"):
        census(pause_ms=pause)


@pytest.mark.parametrize(
    "folder",
    [
        "..",
        "../secret",
        "../missing",
        "out",
        "/etc",
        "/missing",
        "inner/../../secret",
        "a\x00b",
        "x" * 5000,
        "loop",
        "~",
        "../allowed2",
        "missing",
        "a.py",
    ],
)
def test_another_folder_gets_one_answer_whether_it_exists_or_not(tree: Path, folder: str) -> None:
    (tree / "loop").symlink_to(tree / "loop")
    (tree.parent / "allowed2").mkdir()
    with pytest.raises(JobFailed) as failure:
        census(folder=folder)
    assert failure.value.message == NOT_ALLOWED


@pytest.mark.parametrize("folder", ["", ".", "inner", "./inner/../inner", "{root}", "{root}/inner"])
def test_a_folder_below_the_allowed_one_may_be_read(tree: Path, folder: str) -> None:
    assert census(folder=folder.format(root=tree))["files"] in (2, 5)


@pytest.mark.parametrize("folder", ["", ".", "/", "/etc"])
def test_without_a_setting_no_other_folder_may_be_read(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAWNY_CENSUS_ROOT", raising=False)
    with pytest.raises(JobFailed) as failure:
        census(folder=folder)
    assert failure.value.message == NOT_ALLOWED


@pytest.mark.slow
def test_the_default_is_the_standard_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_parse", lambda source: ast.Module([], []))  # parsing it all takes ten seconds
    port = FakePort()
    result = census(port)
    assert result["files"] == port.reports[-1]["total"]
    assert 500 < result["files"] < 2500
    messages = {report.get("message") for report in port.reports}
    assert {"json/decoder.py", "asyncio/events.py"} <= messages
    assert not any("site-packages" in str(message) for message in messages)
    assert len(port.checkpoints) == result["files"] // 200


def test_the_self_check_says_what_it_runs_on() -> None:
    result = app.jobs["self_check"].handler(None)
    assert result["python"] == ".".join(map(str, sys.version_info[:3]))
    assert result["tawny"]
