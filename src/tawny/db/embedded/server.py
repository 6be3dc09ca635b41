"""The running PostgreSQL: start, stop, start again."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from time import monotonic, sleep

from tawny.db.embedded.launch import Launcher
from tawny.db.embedded.log import bound_log, last_lines, open_log
from tawny.db.embedded.place import PORT, Place, make_socket_folder
from tawny.db.embedded.probe import accepts_connections
from tawny.errors import StartError

_SLOW = 5.0  # seconds after which a start is worth a word
_STOP_LIMIT = 30.0  # seconds for an orderly shutdown, whose last checkpoint may have much to write
_QUIT_LIMIT = 10.0  # seconds for an immediate one; PostgreSQL itself kills its processes after 5

_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "timezone": "UTC",
    "jit": "off",
    # Tawny's tables are small and hot: dead rows must go soon.
    "autovacuum_naptime": "15s",
    # Parallel plans take shared memory, of which a container may have only 64 MB, and help none of Tawny's statements.
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "log_min_messages": "warning",
    # Without the detail line, which quotes values of rows.
    "log_error_verbosity": "terse",
}


class Server:
    """One PostgreSQL, a direct child of this process."""

    def __init__(self, place: Place, launcher: Launcher, settings: Mapping[str, str]) -> None:
        self._place = place
        self._launcher = launcher
        address = {"unix_socket_directories": str(place.socket_folder), "port": str(PORT)}
        self._settings = {**_SETTINGS, **settings, **address}
        self._process: subprocess.Popen[str] | None = None

    def start(self, say: Callable[[str], None]) -> None:
        """Start and wait until connections are accepted, as long as recovery takes. StartError if PostgreSQL ends instead."""
        # The lock is ours, so no process of an earlier database lives, and this file is stale whatever runs under its pid.
        (self._place.data / "postmaster.pid").unlink(missing_ok=True)
        make_socket_folder(self._place, self._launcher.account)
        bound_log(self._place.log)
        try:
            self._wait_until_ready(self._launch(), say)
        except BaseException:
            self.stop()
            raise

    def tend(self) -> bool:
        """Start PostgreSQL again if it has ended by itself, and keep its log within bounds; True if it was started again.

        Takes milliseconds: it does not wait for the recovery. PostgreSQL itself judges what its predecessor left behind.
        """
        bound_log(self._place.log)
        if self._process is None or self._process.poll() is None:
            return False
        self._launch()
        return True

    def stop(self) -> None:
        """End every session and stop. Returns when PostgreSQL is gone; safe to call again."""
        process, self._process = self._process, None
        if process is None:
            return
        for sign, limit in ((signal.SIGINT, _STOP_LIMIT), (signal.SIGQUIT, _QUIT_LIMIT), (signal.SIGKILL, None)):
            process.send_signal(sign)
            try:
                process.wait(limit)
            except subprocess.TimeoutExpired:
                continue
            return

    def _launch(self) -> subprocess.Popen[str]:
        options = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        command = ["postgres", "-D", str(self._place.data), *options]
        log = open_log(self._place.log)
        try:
            self._process = self._launcher.start(command, signal.SIGINT, stdin=subprocess.DEVNULL, stdout=log)
        finally:
            os.close(log)
        return self._process

    def _wait_until_ready(self, process: subprocess.Popen[str], say: Callable[[str], None]) -> None:
        began, told = monotonic(), False
        while not accepts_connections(self._place.socket):
            if process.poll() is not None:
                raise StartError(f"PostgreSQL could not start. The end of {self._place.log}:\n{last_lines(self._place.log)}")
            if not told and monotonic() - began > _SLOW:
                say(f"The database is still starting; after a crash it may have much to recover. Its log is {self._place.log}.")
                told = True
            sleep(0.1 if told else 0.01)
