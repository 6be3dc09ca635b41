"""One kept connection, and as much HTTP as it takes to measure: little enough that the client is not what limits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

_LENGTH = b"\r\ncontent-length: "


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: its head as it came, and its body."""

    head: bytes
    body: bytes

    @property
    def status(self) -> int:
        return int(self.head[9:12])


class Connection(asyncio.Protocol):
    """Sends one request at a time. The answer has to have a Content-Length, spelled as uvicorn does."""

    def __init__(self) -> None:
        self._received = b""
        self._waiting: asyncio.Future[Answer] | None = None
        self._transport: asyncio.WriteTransport

    async def ask(self, request: bytes) -> Answer:
        """Send a request and return its answer; RuntimeError unless it is a success."""
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        answer = await self._waiting
        if not 200 <= answer.status < 300:
            raise RuntimeError(f"the server answered {answer.status}: {answer.body[:300]!r}")
        return answer

    def close(self) -> None:
        self._waiting = None
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        length = self._received.index(_LENGTH, 0, end) + len(_LENGTH)
        whole = end + 4 + int(self._received[length : self._received.index(b"\r\n", length)])
        if len(self._received) < whole:
            return
        answer, self._received = Answer(self._received[:end], self._received[end + 4 : whole]), self._received[whole:]
        assert self._waiting, "an answer to nothing"
        self._waiting.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting and not self._waiting.done():
            self._waiting.set_exception(RuntimeError(f"the server closed the connection ({exc})"))


async def connect(port: int) -> Connection:
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    return connection
