"""Make a new, empty database, or see that the one that is there can be used."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tawny.db.embedded.account import require_name
from tawny.db.embedded.binaries import MAJOR
from tawny.db.embedded.launch import Launcher
from tawny.db.embedded.place import DATABASE, ROLE, Place, make_for
from tawny.errors import StartError


def initialise(place: Place, launcher: Launcher) -> None:
    """See to it that `place.data` holds a database of this major version. An existing one is not touched."""
    if place.data.exists():
        _require_version(place.data)
    else:
        _make(place, launcher)


def _require_version(data: Path) -> None:
    try:
        version = (data / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        raise StartError(f"{data} is not a PostgreSQL data folder: move it away, or choose another --data-dir.") from None
    if version != str(MAJOR):
        raise StartError(
            f"PostgreSQL {version} made the database in {data} and this Tawny brings {MAJOR}: "
            "dump it with the Tawny that made it, and restore it into a new --data-dir."
        )


def _make(place: Place, launcher: Launcher) -> None:
    """Made aside and then renamed: a start that was cut short leaves nothing that looks like a database."""
    require_name(launcher.account)
    with suppress(FileNotFoundError):
        shutil.rmtree(place.unfinished)
    make_for(place.unfinished, launcher.account)
    _run(launcher, _initdb(place.unfinished))
    _run(launcher, _single_user(place.unfinished), f"create database {DATABASE}\n")
    place.unfinished.rename(place.data)
    _sync(place.private)


def _initdb(folder: Path) -> Sequence[str]:
    # The builtin locale sorts alike on every machine, whatever its C library.
    locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    # Who reaches the socket, which lies in a folder of the owner alone, is the owner.
    access = [f"--username={ROLE}", "--auth-local=trust", "--auth-host=reject"]
    return ["initdb", "-D", str(folder), *locale, *access, "--no-instructions"]


def _single_user(folder: Path) -> Sequence[str]:
    return ["postgres", "--single", "-D", str(folder), "-c", "exit_on_error=on", "postgres"]


def _run(launcher: Launcher, command: Sequence[str], text: str = "") -> None:
    process = launcher.start(command, signal.SIGKILL, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        output, _ = process.communicate(text)
    except BaseException:
        process.kill()
        process.wait()
        raise
    if process.returncode != 0:
        raise StartError(f"The database could not be made: {command[0]} failed.\n" + "\n".join(output.splitlines()[-6:]))


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
