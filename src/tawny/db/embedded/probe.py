"""Ask a PostgreSQL on a unix socket whether it takes connections, without a driver and without an event loop."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

from tawny.db.embedded.place import DATABASE, ROLE
from tawny.errors import StartError

_PROTOCOL_3 = 196608
_LIMIT = 2.0  # seconds for one answer
_NOT_NOW = {"57P03", "53300"}  # starting up, recovering or shutting down; all connections taken


def accepts_connections(path: Path) -> bool:
    """True if the server lets our role in now; False if it is not there or says that it cannot just now.

    Raises StartError if it says no for good, for example because its pg_hba.conf was changed.
    """
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(_LIMIT)
            link.connect(str(path))
            link.sendall(_startup())
            answer = link.makefile("rb").read1(8192)
            link.sendall(b"X" + struct.pack("!i", 4))
    except OSError:
        return False
    if answer.startswith(b"E"):
        _require_only_not_now(answer)
    return answer.startswith(b"R" + struct.pack("!ii", 8, 0))


def _startup() -> bytes:
    words = b"".join(word.encode() + b"\0" for word in ("user", ROLE, "database", DATABASE)) + b"\0"
    return struct.pack("!ii", len(words) + 8, _PROTOCOL_3) + words


def _require_only_not_now(report: bytes) -> None:
    fields = {field[:1]: field[1:].decode(errors="replace") for field in report[5:].split(b"\0") if field}
    if fields.get(b"C") not in _NOT_NOW:
        raise StartError(f"The embedded database refuses its owner: {fields.get(b'M', 'no reason given')}.")
