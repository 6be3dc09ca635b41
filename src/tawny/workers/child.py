"""A process for one attempt: started, killed and buried, with whatever it has started itself."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO, cast

from tawny.workers.channel import Channel


class Child:
    """A new Python that executes `tawny.workers.isolated`, with a session of its own.

    The kernel kills it when the thread that started it ends, so that must be the one that waits for it. OSError where no process
    can be started.
    """

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603 (our own module)
                    [sys.executable, "-m", "tawny.workers.isolated", str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    bufsize=0,
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                )
            except BaseException:
                ours.close()
                raise
        ours.setblocking(False)
        self.channel = Channel(ours)
        self.stdout, self.stderr = (cast("IO[bytes]", pipe) for pipe in (self._process.stdout, self._process.stderr))
        for pipe in (self.stdout, self.stderr):
            os.set_blocking(pipe.fileno(), False)
        self._guard = threading.Lock()
        self._buried = False

    @property
    def has_exited(self) -> bool:
        return self._wait(os.WNOHANG) is not None

    def _wait(self, how: int = 0) -> os.waitid_result | None:
        # It stays unburied: as long as it is there, its process group cannot become anybody else's.
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT | how)

    @property
    def end(self) -> str:
        """How it ended, to be put after "its process". Waits for that; ask before it is buried."""
        how = cast("os.waitid_result", self._wait())
        if how.si_code == os.CLD_EXITED:
            return f"exited with code {how.si_status}"
        hint = ", perhaps for lack of memory" if how.si_status == signal.SIGKILL else ""
        return f"was killed by {_name(how.si_status)}{hint}"

    def kill(self) -> None:
        """Kill it, and what it has started, from any thread. It does nothing more."""
        with self._guard:
            if not self._buried:
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)

    def bury(self) -> None:
        """Let nothing of it be left, here or in the kernel."""
        self.kill()
        self._wait()
        with self._guard:
            self._process.wait()
            self._buried = True
        self.channel.close()
        self.stdout.close()
        self.stderr.close()


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
