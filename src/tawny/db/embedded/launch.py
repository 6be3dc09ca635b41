"""Start a program of PostgreSQL so that it cannot outlive this process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import Signals

from tawny.db.embedded.account import Account

_BECOME = Path(__file__).with_name("become.py")
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True)
class Launcher:
    """What every program of one database is started with: where it is, as whom it runs, and the lock it inherits."""

    binaries: Path
    account: Account | None
    lock: int

    def start(self, command: Sequence[str], death_signal: Signals, *, stdin: int, stdout: int) -> subprocess.Popen[str]:
        """Start `command`, whose first word is a program of `binaries`, as a direct child in a session of its own.

        It gets `death_signal` when this process dies, however it dies. Ctrl-C in the terminal does not reach it. Its errors go
        where its output goes.
        """
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("Start PostgreSQL from the main thread: it is told to stop when the thread that started it ends.")
        uid, gid = (self.account.uid, self.account.gid) if self.account else (-1, -1)
        preparation = [str(number) for number in (os.getpid(), int(death_signal), uid, gid)]
        return subprocess.Popen(  # noqa: S603 (every word of it is ours)
            [sys.executable, "-I", "-S", str(_BECOME), *preparation, str(self.binaries / command[0]), *command[1:]],
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",
            env=_environment(),
            pass_fds=(self.lock,),
            start_new_session=True,
        )


def _environment() -> dict[str, str]:
    """Only what a program needs to be found: PG* would change what PostgreSQL does, and Tawny's secrets are not its business."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | {"LC_ALL": "C", "TZ": "UTC"}
