"""One owner per state folder.

PostgreSQL and all its processes inherit the lock's descriptor. So whoever gets the lock knows that no process of an earlier
database lives, whatever `postmaster.pid` says.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from tawny.errors import StartError

_SHUTDOWN_LIMIT = 10.0  # seconds a database whose owner has died may take to shut down
_BRIEF_LIMIT = 30.0  # seconds to wait for another command to be done


class FolderInUse(StartError):
    """Another process owns the database in this state folder."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who wrote itself into the lock file. A pid alone may be in use again; with its start time it is one process."""

    pid: int
    started: str
    brief: bool

    @property
    def lives(self) -> bool:
        return self.started == _start_time(self.pid)


@contextmanager
def hold(path: Path, *, brief: bool = False) -> Iterator[int]:
    """Hold the lock at `path` and yield its descriptor.

    `brief` says that the holder is a command soon done, for which others wait instead of being refused. Raises FolderInUse: at
    once if a living process has the lock to keep, after a while if a database whose owner has died does not end.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        _take(descriptor, path)
        _sign(descriptor, brief)
        yield descriptor
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path) -> None:
    began = monotonic()
    while not _try_lock(descriptor):
        holder = read_holder(path)
        if monotonic() - began > _patience(holder):
            raise FolderInUse(_refusal(path.parent, holder))
        sleep(0.02)


def _patience(holder: Holder | None) -> float:
    if holder is None or not holder.lives:
        return _SHUTDOWN_LIMIT
    return _BRIEF_LIMIT if holder.brief else 0.0


def _refusal(folder: Path, holder: Holder | None) -> str:
    if holder is None or not holder.lives:
        owner = f"process {holder.pid}" if holder else "a process that has died"
        return f"The database of {owner} in {folder} is still shutting down: try again in a moment."
    return f"Process {holder.pid} already runs the database in {folder}: stop it first, or give this one its own --data-dir."


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sign(descriptor: int, brief: bool) -> None:
    pid = os.getpid()
    text = f"{pid} {_start_time(pid)} {'brief' if brief else 'lasting'}\n"
    # Padded and written at once, over the old name: a reader never sees an empty file or half a name.
    os.pwrite(descriptor, text.encode().rjust(64), 0)


def read_holder(path: Path) -> Holder | None:
    """Who last took the lock; None if nobody ever did."""
    words = path.read_text().split()
    return Holder(int(words[0]), words[1], words[2] == "brief") if words else None


def _start_time(pid: int) -> str | None:
    """When the process started, in the kernel's ticks; None if it is gone or waits only to be buried."""
    try:
        # The name comes first, in parentheses, and may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]
