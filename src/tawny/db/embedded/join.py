"""Use a database that another process has started."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic, sleep

from tawny.db.embedded.lock import FolderInUse
from tawny.db.embedded.own import own
from tawny.db.embedded.place import Place
from tawny.db.embedded.probe import accepts_connections
from tawny.errors import StartError


def join(data_dir: Path, timeout: float = 30.0) -> str:
    """The address of the database that a running owner of `data_dir` has up. Waits for one up to `timeout` seconds.

    Raises StartError if there is none by then.
    """
    place = Place(data_dir.resolve())
    deadline = monotonic() + timeout
    while (url := _running(place)) is None:
        if monotonic() >= deadline:
            raise StartError(
                f"No database is running in {data_dir}: start `tawny serve` first, or name its folder with --data-dir."
            )
        sleep(0.02)
    return url


def _running(place: Place) -> str | None:
    """The announced address, if a database answers there: an owner that was killed leaves its announcement behind."""
    try:
        announced = json.loads(place.announcement.read_text())
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise StartError(f"{place.root} belongs to another user: run this as that user.") from error
    return str(announced["url"]) if accepts_connections(Path(announced["socket"])) else None


@contextmanager
def own_or_join(data_dir: Path, timeout: float = 30.0) -> Iterator[str]:
    """The address of the database in `data_dir`, for the length of one command: started for it, or joined if it runs already.

    Waits up to `timeout` seconds for an owner that is still starting. Raises StartError as `own` and `join` do.
    """
    with ExitStack() as stack:
        yield _enter(stack, data_dir, monotonic() + timeout)


def _enter(stack: ExitStack, data_dir: Path, deadline: float) -> str:
    """Tries both in turn: an owner that was there a moment ago may be starting, or going."""
    while True:
        try:
            return stack.enter_context(own(data_dir, brief=True)).url
        except FolderInUse:
            if monotonic() >= deadline:
                raise
        try:
            return join(data_dir, timeout=0.2)
        except StartError:
            continue
