"""How a child process notices that its parent is gone, even when that one had no time to say so; and how it starts again."""

from __future__ import annotations

import os
import signal
import sys
import threading
from time import sleep
from typing import NoReturn

_HURRY_AFTER = 1.0
_KILL_AFTER = 5.0


def stop_with_parent(fd: int) -> None:
    """Stop this process when the last writer of the pipe `fd` is gone.

    SIGTERM first, a second one a second later (who would restart or need this process is dead), and the end at once when that
    was not enough.
    """
    os.set_inheritable(fd, False)
    threading.Thread(target=_watch, args=(fd,), name="parent", daemon=True).start()


def start_again(fd: int | None) -> NoReturn:
    """Replace this process by a new one of the same command, which watches the pipe `fd` as well. Nothing of this one goes on."""
    if fd is not None:
        os.set_inheritable(fd, True)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606  (its own command line)


def _watch(fd: int) -> None:
    os.read(fd, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    sleep(_HURRY_AFTER)
    os.kill(os.getpid(), signal.SIGTERM)
    sleep(_KILL_AFTER)
    os._exit(1)
