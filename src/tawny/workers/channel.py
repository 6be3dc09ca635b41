"""The channel between a worker and the process of one attempt."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

Message = tuple[str, Any]
"""What it is about, and any JSON value."""

_CHUNK = 256 * 1024


class Channel:
    """One end of a socket pair that carries messages, each a line of JSON. Any thread may send, one thread receives.

    That the other side is gone is noticed by the one that receives; what is sent to it is lost without a word.
    """

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._guard = threading.Lock()
        self._unsent = bytearray()
        self._rest = b""

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, kind: str, value: object = None) -> None:
        """Put a message on its way. On a socket that does not block, what does not fit is kept for the next `push`."""
        line = json.dumps((kind, value), default=str).encode() + b"\n"
        with self._guard:
            self._unsent += line
            self._push()

    def push(self) -> bool:
        """Send what was kept, as far as it fits. Whether something is left."""
        with self._guard:
            self._push()
            return bool(self._unsent)

    def _push(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent)]
        except BlockingIOError:
            return
        except OSError:
            self._unsent.clear()

    def receive(self) -> list[Message] | None:
        """Return the messages that the next bytes complete; None where there are no bytes, on a socket that does not block.

        EOFError once the other side is gone.
        """
        try:
            chunk = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return None
        except ConnectionError:
            chunk = b""
        if not chunk:
            raise EOFError
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        return [(kind, value) for kind, value in map(json.loads, lines)]

    def __iter__(self) -> Iterator[Message]:
        """The messages one by one, on a socket that blocks, until EOFError."""
        while True:
            yield from self.receive() or ()

    def close(self) -> None:
        with self._guard:
            self._socket.close()
