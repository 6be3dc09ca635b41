"""Tawny's commands as people start them: processes with a clean environment and a folder of their own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
from tests.postgres import alive, eventually, postmaster

COMMAND = (sys.executable, "-m", "tawny")
PATIENCE = 60.0
NOWHERE = "http://127.0.0.1:9/v2"
"""Where no service is: no test talks to a real one."""


def environment(**settings: str) -> dict[str, str]:
    """The environment of this process without any of Tawny's settings but these."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TAWNY_")} | settings


def tawny(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run one command in `folder` to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(**settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class Serving:
    """A running `tawny serve` (or `work`) in `folder`, like a terminal's foreground job. Leaving the block kills what is left."""

    def __init__(self, folder: Path, *arguments: str, command: str = "serve", **settings: str) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self._out, self._err = folder / f"{command}.out", folder / f"{command}.err"
        with self._out.open("w") as out, self._err.open("w") as err:
            self.process = subprocess.Popen(
                [*COMMAND, command, *arguments],
                cwd=folder,
                env=environment(**({"TAWNY_REVENUECAT_URL": NOWHERE} | settings)),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        self.pids = {self.process.pid}

    def __enter__(self) -> Serving:
        return self

    def __exit__(self, *_: object) -> None:
        self.look_at_family()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        try:
            eventually(self.has_left_nothing)
        finally:
            self._kill_what_is_left()

    def _kill_what_is_left(self) -> None:
        for pid in filter(alive, self.pids):
            os.kill(pid, signal.SIGKILL)

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    def wait_for(self, text: str) -> Serving:
        """Wait until it has said this, on either stream."""
        eventually(lambda: text in self.out + self.err or self.process.poll() is not None, PATIENCE)
        assert text in self.out + self.err, f"it ended with {self.process.poll()}: {self.err}"
        return self

    def wait_until_up(self, *, worker: bool = True) -> Serving:
        self.wait_for("Ctrl-C stops the server.")
        if worker:
            self.wait_for("enlisted")
        self.look_at_family()
        return self

    @property
    def address(self) -> str:
        return self._said(r"^Tawny listens on (http://\S+)$")

    @property
    def key(self) -> str:
        return self._said(r"^ +(tawny_\w+)$")

    @property
    def curl(self) -> str:
        return self._said(r"^(curl .*)$")

    def _said(self, pattern: str) -> str:
        found = re.search(pattern, self.out, re.MULTILINE)
        assert found, self.out
        return found[1]

    def get(self, path: str, key: str) -> httpx.Response:
        return httpx.get(f"{self.address}{path}", headers={"Authorization": f"Bearer {key}"}, timeout=10)

    @property
    def worker(self) -> int:
        """The pid of its worker."""
        return next(pid for pid in children(self.process.pid) if "work" in command_line(pid))

    @property
    def postgres(self) -> int:
        return postmaster(self.folder / ".tawny")

    def press_ctrl_c(self) -> None:
        """What a terminal does: a SIGINT for every process of the foreground group."""
        self.look_at_family()
        os.killpg(self.process.pid, signal.SIGINT)

    def ended(self) -> int:
        """Its exit code, once it has ended by itself."""
        return self.process.wait(PATIENCE)

    def look_at_family(self) -> None:
        """Remember every process that it has started by now."""
        for pid in list(self.pids):
            self.pids.update(descendants(pid))

    def has_left_nothing(self) -> bool:
        return not any(alive(pid) for pid in self.pids)


def children(pid: int) -> list[int]:
    """The processes that any thread of this one has started."""
    try:
        started = [(task / "children").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return []
    return [int(child) for text in started for child in text.split()]


def descendants(pid: int) -> set[int]:
    direct = children(pid)
    return set(direct).union(*(descendants(child) for child in direct))


def command_line(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []
