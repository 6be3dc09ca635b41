"""Somebody reads the README and types what it says, in a fresh clone, from top to bottom."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from time import monotonic
from typing import Any

import pytest
from tests.commands import Serving, environment
from tests.postgres import eventually
from tests.walks.terminal import Foreground, Shell

pytestmark = pytest.mark.walk

ROOT = Path(__file__).parents[2]
PRINTED_PORT = "8585"
PRINTED_FAKE_PORT = "8586"
UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
NUMBER = re.compile(r"\b\d+(?=s?\b)")


class Readme:
    """The fenced blocks of a page, to be taken one by one from top to bottom."""

    def __init__(self, text: str) -> None:
        self._blocks = deque(re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))

    def next(self, language: str) -> str:
        found, text = self._blocks.popleft()
        assert found == language, f"the next block is {found}:\n{text}"
        return str(text).strip("\n")

    @property
    def is_read(self) -> bool:
        return not self._blocks


class Newcomer:
    """Types what the README says, and looks whether what it promises comes true."""

    def __init__(self, clone: Path, readme: Readme, terminals: ExitStack, say: Callable[[str], None], port: str) -> None:
        self._clone = clone
        self._readme = readme
        self._terminals = terminals
        self._say = say
        self._settings = {"TAWNY_PORT": port}  # ports are the only thing that is not as printed: those may be taken here
        self._shell = terminals.enter_context(Shell(clone))
        self._server: Serving

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        began = monotonic()
        yield
        self._say(f"{what}: {monotonic() - began:.1f} s")

    def _start(self, command: str, screen: str) -> Serving:
        started = Foreground(self._clone, command, screen=self._clone.parent / screen, **self._settings)
        return self._terminals.enter_context(started)

    def _type_next(self) -> str:
        return self._shell.type(self._readme.next("sh"))

    def starts_the_server(self) -> None:
        with self._timed("first start"):
            self._server = self._start(self._readme.next("sh"), "first").wait_until_up()
        assert_shows(self._readme.next("text"), self._server.out)

    def pastes_the_printed_line(self) -> None:
        with self._timed("the printed line"):
            said = self._shell.type(self._server.curl)
        assert_shows(self._readme.next("text"), said)
        run = job_run(said)
        eventually(lambda: self._status(run) == "running")
        self._server_call("POST", f"/v1/jobs/{run['id']}/cancel")  # the next one is to have the processor for itself

    def _status(self, run: dict[str, Any]) -> object:
        return job_run(self._server_call("GET", f"/v1/jobs/{run['id']}"))["status"]

    def _server_call(self, method: str, path: str) -> str:
        authorization = f"Authorization: Bearer {self._server.key}"
        return self._shell.type(shlex.join(["curl", "-sS", "-X", method, f"{self._server.address}{path}", "-H", authorization]))

    def watches_a_run(self) -> None:
        with self._timed("team, project and key"):
            self._type_next()
        self._type_next()
        with self._timed("a census, watched to its end"):
            said = self._type_next()
        assert_shows(self._readme.next("text"), said)
        first, last = job_run(said.splitlines()[0]), job_run(said.splitlines()[-1])
        assert first["status"] in ("pending", "running")
        assert last["status"] == "completed"
        assert last["result"]["files"] + last["result"]["skipped"] == last["progress"]["total"] > 100

    def cancels_one(self) -> None:
        self._type_next()
        refused = json.loads(self._type_next())
        cancel, show = self._readme.next("sh"), self._readme.next("sh")
        run = job_run(self._shell.type(show))
        assert refused["existing_run_id"] == run["id"]
        eventually(lambda: job_run(self._shell.type(show))["progress"])
        with self._timed("a cancel"):
            assert json.loads(self._shell.type(cancel)) == {"cancelled": True}
            eventually(lambda: job_run(self._shell.type(show))["status"] != "running")
        cancelled = job_run(self._shell.type(show))
        assert cancelled["status"] == "cancelled"
        assert 0 < cancelled["progress"]["processed"] < cancelled["progress"]["total"]

    def serves_a_job_of_their_own(self) -> None:
        (self._clone / "jobs.py").write_text(self._readme.next("python"))
        with self._timed("Ctrl-C"):
            self._server.press_ctrl_c()
            assert self._server.ended() == 0
        self._looks_what_a_second_start_costs()
        with self._timed("second start, with an app"):
            self._server = self._start(self._readme.next("sh"), "second").wait_until_up()
        with self._timed("a run of the app, watched to its end"):
            said = self._type_next()
        run = job_run(said.splitlines()[-1])
        assert run["status"] == "completed"
        assert run["result"] == {"month": run["params"]["month"], "exported": 20}

    def _looks_what_a_second_start_costs(self) -> None:
        before = getrusage(RUSAGE_CHILDREN)
        subprocess.run(["scripts/venv"], cwd=self._clone, env=environment(), check=True)
        after = getrusage(RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        self._say(f"scripts/venv with nothing to do: {seconds:.3f} s of processor time")
        assert seconds < 1

    def syncs_from_revenuecat(self) -> None:
        self._start(self._readme.next("sh"), "revenuecat").wait_for("Ctrl-C stops it.")
        self._server.press_ctrl_c()
        assert self._server.ended() == 0
        self._server = self._start(self._readme.next("sh"), "talks to it").wait_until_up()
        assert "Connected to revenuecat" in self._type_next()
        sync = self._readme.next("sh")
        with self._timed("a sync of 60 customers"):
            said = self._shell.type(sync)
        assert_shows(self._readme.next("text"), said)
        first = json.loads(said[said.index("{") :])
        assert first["synced"] == first["total"] == 60 - first["skipped_anonymous"] > 40
        said = self._shell.type(sync)
        again = json.loads(said[said.index("{") :])
        assert (again["unchanged"], again["requests"]) == (first["total"], 2)

    def adds_a_worker(self) -> None:
        worker = self._start(self._readme.next("sh"), "third").wait_for("enlisted")
        worker.press_ctrl_c()
        assert worker.ended() == 0
        assert "tawny work" in self._readme.next("text")

    def reads_how_to_test(self) -> None:
        """And leaves it at that: this very test is part of it."""
        assert os.access(self._clone / self._readme.next("sh"), os.X_OK)
        assert self._readme.is_read


def assert_shows(excerpt: str, said: str) -> None:
    """Every line of an excerpt was said, in this order; ids and numbers are others, and `…` is whatever there is."""
    said = normal(said)
    for line in filter(None, excerpt.splitlines()):
        found = re.search(f"^{re.escape(normal(line)).replace('…', '.*')}$", said, re.MULTILINE)
        assert found, f"the README shows\n{line}\nbut this was said:\n{said}"
        said = said[found.end() :]


def normal(text: str) -> str:
    return NUMBER.sub("N", UUID.sub("ID", text))


def job_run(answer: str) -> dict[str, Any]:
    run: dict[str, Any] = json.loads(answer)["job_run"]
    return run


def fresh_clone(folder: Path) -> Path:
    """What a newcomer gets: the last commit; where the files here are others, these."""
    changed = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    if not changed:
        subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
        return folder
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_the_readme_works_as_printed(tmp_path: Path, say: Callable[[str], None]) -> None:
    clone = fresh_clone(tmp_path / "tawny")
    port = str(free_port())
    fake_port = str(free_port())
    printed = (clone / "README.md").read_text().replace(PRINTED_PORT, port).replace(PRINTED_FAKE_PORT, fake_port)
    readme = Readme(printed.replace("dev-revenuecat", f"dev-revenuecat --port {fake_port}"))
    with ExitStack() as terminals:
        newcomer = Newcomer(clone, readme, terminals, say, port)
        newcomer.starts_the_server()
        newcomer.pastes_the_printed_line()
        newcomer.watches_a_run()
        newcomer.cancels_one()
        newcomer.serves_a_job_of_their_own()
        newcomer.syncs_from_revenuecat()
        newcomer.adds_a_worker()
        newcomer.reads_how_to_test()
