"""Own the embedded database: start it, and stop it at the end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tawny.db.embedded.account import choose_account
from tawny.db.embedded.binaries import find_binaries
from tawny.db.embedded.initialise import initialise
from tawny.db.embedded.launch import Launcher
from tawny.db.embedded.lock import hold
from tawny.db.embedded.place import Place, make_place, remove_short
from tawny.db.embedded.server import Server

_log = logging.getLogger(__name__)


class Owned:
    """A running embedded database. It ends with this process, however this process ends."""

    def __init__(self, place: Place, server: Server) -> None:
        self._place = place
        self._server = server

    @property
    def url(self) -> str:
        """Its address for asyncpg, the same at every start on this state folder."""
        return self._place.url

    def tend(self) -> bool:
        """Call it about once a second, from the main thread: starts PostgreSQL again if it has ended, and bounds its log.

        Returns at once, and True if PostgreSQL had to be started again; connections are accepted after its recovery.
        """
        return self._server.tend()

    def stop(self) -> None:
        """Stop PostgreSQL; every session ends. Safe to call again."""
        self._place.withdraw()
        self._server.stop()
        remove_short(self._place)


@contextmanager
def own(
    data_dir: Path,
    *,
    settings: Mapping[str, str] | None = None,
    say: Callable[[str], None] = _log.warning,
    binaries: Path | None = None,
    brief: bool = False,
) -> Iterator[Owned]:
    """Start the database of the state folder `data_dir`, making both if they are not there; it is stopped at the end.

    Call it from the main thread. Recovery after a crash may take as long as it needs; `say` is told once when it is slow.
    `settings` are PostgreSQL's own and win over Tawny's; `binaries` is a folder with another build of the same major version;
    `brief` makes others wait for this owner instead of being refused.

    Raises FolderInUse (a StartError) if another process owns the folder, and StartError if PostgreSQL cannot start.
    """
    place = make_place(data_dir)
    with hold(place.lock, brief=brief) as lock:
        launcher = Launcher(binaries or find_binaries(), choose_account(place.data), lock)
        initialise(place, launcher)
        server = Server(place, launcher, settings or {})
        server.start(say)
        owned = Owned(place, server)
        try:
            place.announce()
            yield owned
        finally:
            owned.stop()
