"""A PostgreSQL of the harness's own, to be restarted, killed and starved."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Literal

import asyncpg
from tests.commands import children, command_line

from tawny.db.embedded.account import choose_account
from tawny.db.embedded.binaries import find_binaries
from tawny.db.embedded.initialise import initialise
from tawny.db.embedded.launch import Launcher
from tawny.db.embedded.place import make_place, make_socket_folder
from tawny.db.embedded.probe import accepts_connections

How = Literal["fast", "immediate", "kill"]

_SIGNALS: Mapping[How, signal.Signals] = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT, "kill": signal.SIGKILL}

_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "fsync": "on",
    "jit": "off",
    "autovacuum_naptime": "15s",
    "max_parallel_workers_per_gather": "0",
    # Commits that do not wait for the disk are not safe by luck.
    "wal_writer_delay": "10s",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] ",
}


_END_ALL = """
select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()
"""


class Database:
    """One server with one database, reached through a socket; the proxies listen on TCP for it."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self._place = make_place(folder)
        lock = os.open(self._place.lock, os.O_CREAT | os.O_RDWR, 0o600)
        self._launcher = Launcher(find_binaries(), choose_account(self._place.data), lock)
        self._settings = {**_SETTINGS, **settings}
        self._process: subprocess.Popen[str] | None = None
        self.log = folder / "postgres.log"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def socket(self) -> str:
        return str(self._place.socket)

    @property
    def url(self) -> str:
        """Past all proxies: the harness's own way in."""
        return self._place.url

    async def start(self) -> None:
        """Start it, and return once it accepts connections."""
        initialise(self._place, self._launcher)
        (self._place.data / "postmaster.pid").unlink(missing_ok=True)
        make_socket_folder(self._place, self._launcher.account)
        address = {"unix_socket_directories": str(self._place.socket_folder), "port": "5432"}
        options = [word for name, value in {**self._settings, **address}.items() for word in ("-c", f"{name}={value}")]
        with self.log.open("a") as log:
            self._process = self._launcher.start(
                ["postgres", "-D", str(self._place.data), *options], signal.SIGINT, stdin=subprocess.DEVNULL, stdout=log.fileno()
            )
        await self.accepting()

    async def accepting(self) -> None:
        """Return once connections are accepted, which after a crash takes a recovery."""
        while not accepts_connections(self._place.socket):
            assert self._process
            assert self._process.poll() is None, "PostgreSQL has ended"
            await asyncio.sleep(0.01)

    async def stop(self, how: How) -> None:
        """End it: `fast` says goodbye to sessions, `immediate` and `kill` leave a crash to recover from."""
        assert self._process
        # Without its postmaster a backend would go on until it has something to say, and hold the data folder.
        backends = self.processes() if how == "kill" else []
        self._process.send_signal(_SIGNALS[how])
        for pid in backends:
            _kill(pid)
        while self._process.poll() is None:
            await asyncio.sleep(0.005)

    def processes(self) -> list[int]:
        assert self._process
        return children(self._process.pid)

    def kill_backend(self) -> bool:
        """Kill -9 one session: PostgreSQL then ends all of them and recovers. False if there was none."""
        sessions = [pid for pid in self.processes() if "tawny tawny" in " ".join(command_line(pid))]
        if sessions:
            _kill(sessions[len(sessions) // 2])
        return bool(sessions)

    async def end_sessions(self) -> None:
        """`pg_terminate_backend` of everybody but ourselves."""
        conn = await asyncpg.connect(self.url)
        try:
            await conn.execute(_END_ALL)
        finally:
            await conn.close()

    async def exhaust(self, seconds: float) -> int:
        """Take every connection that can be had, for this long; returns how many that were."""
        taken: list[asyncpg.Connection] = []
        until = monotonic() + seconds
        while monotonic() < until:
            try:
                taken.append(await asyncpg.connect(self.url))
            except (asyncpg.TooManyConnectionsError, OSError):
                await asyncio.sleep(0.05)
        for conn in taken:
            conn.terminate()
        return len(taken)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
