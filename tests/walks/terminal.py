"""The terminals of somebody who types what a page says."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

from tests.commands import PATIENCE, Serving, environment

_DONE = "--- done ---"


class Shell:
    """A plain shell in `folder`, which keeps its variables and functions, and ends at the first command that fails."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            ["sh", "-e"],
            cwd=folder,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Shell:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def type(self, commands: str) -> str:
        """Run the commands to their end, and return what they said."""
        assert self._process.stdin
        assert self._process.stdout
        watchdog = threading.Timer(PATIENCE, self._process.kill)
        watchdog.start()
        try:
            self._process.stdin.write(f"{commands}\nprintf '\\n%s\\n' '{_DONE}'\n")
            self._process.stdin.flush()
            said = list(iter(self._process.stdout.readline, f"{_DONE}\n"))
        finally:
            watchdog.cancel()
        return "".join(said).removesuffix("\n")


class Foreground(Serving):
    """A command that goes on until Ctrl-C, in a terminal of its own."""

    def __init__(self, folder: Path, command: str, *, screen: Path, **settings: str) -> None:
        self.folder = folder
        self._out = self._err = screen
        with screen.open("w") as shown:
            self.process = subprocess.Popen(
                ["sh", "-ec", f"exec env {command}"],
                cwd=folder,
                env=environment(**settings),
                stdin=subprocess.DEVNULL,
                stdout=shown,
                stderr=shown,
                start_new_session=True,
            )
        self.pids = {self.process.pid}
