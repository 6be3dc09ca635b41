"""A real terminal that a program can type into and read: a tmux server of its own, with one window."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Final

PATIENCE: Final = 60.0
PROMPT: Final = "$"


class Terminal:
    """A shell in `folder`, in a terminal of so many columns and rows. Leaving the block ends it."""

    def __init__(self, folder: Path, environment: Mapping[str, str], *, columns: int = 80, rows: int = 30) -> None:
        self._socket = f"tawny-{os.getpid()}-{token_hex(4)}"
        self._folder = folder
        self._place = TemporaryDirectory(prefix="tawny-tmux-")
        self._environment = {
            **environment,
            "TMUX_TMPDIR": self._place.name,
            "PS1": f"{PROMPT} ",
            "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8",
            "ENV": "",
        }
        self._columns, self._rows = columns, rows

    def __enter__(self) -> Terminal:
        size = ("-x", str(self._columns), "-y", str(self._rows))
        shell = ("bash", "--norc", "--noprofile")
        self._tmux("-f", os.devnull, "new-session", "-d", *size, "-c", str(self._folder), *shell)
        try:
            self.wait(self.idle, "the prompt")
        except TimeoutError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._tmux("kill-server")
        self._place.cleanup()

    def run(self, command: str) -> str:
        """Type a command on an empty screen, wait until it is over, and return the screen."""
        self.start(command)
        return self.finish()

    def start(self, command: str) -> None:
        """Type a command on an empty screen."""
        self._tmux("send-keys", "C-l")
        self.wait(lambda: self.screen() == PROMPT, "an empty screen")
        self.type(command)

    def finish(self) -> str:
        """Wait until the command is over, and return the screen without the prompt behind it."""
        self.wait(self.idle, "the end of the command")
        return self.screen().removesuffix(PROMPT).rstrip()

    def idle(self) -> bool:
        """Whether the shell waits for a command."""
        return self.screen().splitlines()[-1:] == [PROMPT]

    def type(self, text: str) -> None:
        """Type a line."""
        self._tmux("send-keys", "-l", "--", text)
        self._tmux("send-keys", "Enter")

    def press(self, key: str) -> None:
        """Press a key, such as `C-c`."""
        self._tmux("send-keys", key)

    def screen(self) -> str:
        """What is on the screen."""
        return "\n".join(line.rstrip() for line in self._tmux("capture-pane", "-p").splitlines()).rstrip()

    def wait_for(self, text: str) -> str:
        """Wait until this is on the screen, and return the screen."""
        self.wait(lambda: text in self.screen(), f"{text!r}")
        return self.screen()

    def wait(self, fact: Callable[[], bool], what: str) -> None:
        deadline = monotonic() + PATIENCE
        while not fact():
            if monotonic() > deadline:
                raise TimeoutError(f"{what} never came; the screen is:\n{self.screen()}")
            sleep(0.02)

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run(  # noqa: S603 (our own words)
            ["tmux", "-L", self._socket, *arguments],  # noqa: S607 (the one that is installed)
            env=self._environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout
