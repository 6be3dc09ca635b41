"""A small HTTP server for answers to GET that can also go wrong: late, in pieces, cut, or not at all."""

from __future__ import annotations

import asyncio
import socket
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, Literal

_HEAD_LIMIT: Final = 262_144
_PIECES: Final = 5
_RESET: Final = struct.pack("ii", 1, 0)
"""Linger for no time: closing resets the connection."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked. The names of `headers` are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered, and how: the whole, in pieces over `seconds`, cut in the middle, or by a reset of the connection."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    how: Literal["whole", "slow", "cut", "reset"] = "whole"
    seconds: float = 0.0

    def head(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        fields = {"Content-Type": self.content_type, "Content-Length": str(len(self.body)), **self.headers}
        lines += [f"{name}: {value}" for name, value in fields.items()]
        return "\r\n".join([*lines, "", ""]).encode()


Handler = Callable[[Request], Awaitable[Answer]]


class HttpServer:
    """Serves `handler` on a port of the loopback address, in the running loop, from entering to leaving the block."""

    def __init__(self, handler: Handler, port: int = 0) -> None:
        self._handler = handler
        self._wanted = port
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> HttpServer:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._wanted, limit=_HEAD_LIMIT)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _connected(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  (streams call this in a task)
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        with suppress(asyncio.CancelledError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            while await self._exchange(reader, writer):
                pass
        writer.close()

    async def _exchange(self, reader: StreamReader, writer: StreamWriter) -> bool:
        """Answer one request; whether another may follow."""
        request = _parse(await reader.readuntil(b"\r\n\r\n"))
        answer = await self._handler(request)
        if answer.how == "reset":
            _reset(writer)
            return False
        await _send(writer, answer)
        return answer.how != "cut" and request.method == "GET" and request.headers.get("connection", "").lower() != "close"


def _parse(head: bytes) -> Request:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = (*first.split(" ", 2), "", "")[:3]
    pairs = (line.partition(":") for line in lines if line)
    return Request(method, target, {name.lower(): value.strip() for name, _, value in pairs})


async def _send(writer: StreamWriter, answer: Answer) -> None:
    head, body = answer.head(), answer.body
    if answer.how == "slow":
        writer.write(head)
        size = len(body) // _PIECES + 1
        for start in range(0, len(body), size):
            await asyncio.sleep(answer.seconds / _PIECES)
            writer.write(body[start : start + size])
    else:
        writer.write(head + (body[: len(body) // 2] if answer.how == "cut" else body))
    await writer.drain()


def _reset(writer: StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
