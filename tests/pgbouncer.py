"""PgBouncer for tests: one that lends few servers to many clients, each for one transaction."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, quote, urlsplit, urlunsplit

from tests.postgres import eventually

POOLER = os.environ.get("TEST_POOLER", "none") == "transaction"
"""Whether the tests of the rooms go through PgBouncer this time."""

SERVERS = 3
"""How many servers the clients of one database share. Fewer than the connections of any pool of Tawny's."""

_PORT = 6432

_INI = """
[databases]
* = {server}

[pgbouncer]
pool_mode = transaction
default_pool_size = {servers}
max_client_conn = 500
listen_port = {port}
unix_socket_dir = {folder}
auth_type = any
logfile = {folder}/pgbouncer.log
{more}
"""


@contextmanager
def pooled(url: str, *, database: str | None = None, **more: str) -> Iterator[str]:
    """The address of a PgBouncer before the server of `url`, on that database or this one. `more` is for its configuration."""
    server = _server_of(url)
    with tempfile.TemporaryDirectory(prefix="tawny-pgbouncer-") as name:
        folder = Path(name)
        lines = "\n".join(f"{key} = {value}" for key, value in more.items())
        ini = folder / "pgbouncer.ini"
        ini.write_text(_INI.format(server=server, servers=SERVERS, port=_PORT, folder=folder, more=lines))
        process = _start(ini, url)
        try:
            eventually(lambda: (folder / f".s.PGSQL.{_PORT}").exists() or process.poll() is not None)
            assert process.poll() is None, f"PgBouncer has ended with {process.returncode}"
            path = database or urlsplit(url).path
            yield urlunsplit(SplitResult("postgresql", "tawny@", path, f"host={quote(name)}&port={_PORT}", ""))
        finally:
            process.kill()
            process.wait()


def _start(ini: Path, url: str) -> subprocess.Popen[bytes]:
    """Start it as the owner of the server's socket, since it does not run as root. It dies with this process."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    assert program, "PgBouncer is not installed: run scripts/debian pgbouncer"
    command = ["setpriv", "--pdeathsig", "KILL", program, "--quiet", str(ini)]
    if os.geteuid() != 0:
        return subprocess.Popen(command, cwd="/")
    uid = _owner_of_socket(url)
    for path in (ini.parent, ini):
        os.chown(path, uid, -1)
    return subprocess.Popen(command, cwd="/", user=uid, group="nogroup", extra_groups=[])


def _owner_of_socket(url: str) -> int:
    """Who may enter the folder of the socket, once the folders above it, which are this root's, let others pass."""
    socket = Path(_host(url))
    if not socket.is_absolute():
        return pwd.getpwnam("nobody").pw_uid
    for folder in socket.parents:
        if folder.is_relative_to(tempfile.gettempdir()) and folder != Path(tempfile.gettempdir()):
            folder.chmod(0o711)
    return socket.stat().st_uid


def _server_of(url: str) -> str:
    """What PgBouncer's configuration says of a server: how to reach it, and as whom."""
    parts = urlsplit(url)
    port = parts.port or parse_qs(parts.query).get("port", ["5432"])[0]
    given = {"host": _host(url), "port": str(port), "user": parts.username, "password": parts.password}
    return " ".join(f"{name}={value}" for name, value in given.items() if value)


def _host(url: str) -> str:
    parts = urlsplit(url)
    return parts.hostname or parse_qs(parts.query)["host"][0]
