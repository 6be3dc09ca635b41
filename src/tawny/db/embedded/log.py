"""PostgreSQL's log file: opened for it, kept within bounds, quoted when it fails."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_LIMIT = 10 * 1024 * 1024  # bytes
_TAIL = 16 * 1024  # bytes


def open_log(path: Path) -> int:
    """A descriptor that appends to the log; every process that has it may write at once."""
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)


def bound_log(path: Path, limit: int = _LIMIT) -> None:
    """Move a log that has grown past `limit` bytes aside. PostgreSQL goes on writing to the same, now empty, file."""
    if path.exists() and path.stat().st_size > limit:
        shutil.copyfile(path, path.with_suffix(".log.1"))
        os.truncate(path, 0)


def last_lines(path: Path, count: int = 6) -> str:
    """The last lines of the log."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-count:])
