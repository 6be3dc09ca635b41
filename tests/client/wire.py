"""The way between a client and a server, and what can go wrong on it."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from contextlib import suppress

import httpx


class Wire:
    """Forwards TCP connections to a port of this machine, until it is cut."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._open: set[StreamWriter] = set()
        self.opened = 0
        """How many connections there were."""
        self.down = False
        """Whether new connections are closed at once."""

    async def __aenter__(self) -> Wire:
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut()
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def cut(self) -> None:
        """Break every connection."""
        for writer in self._open:
            writer.transport.abort()

    async def _forward(self, client: StreamReader, to_client: StreamWriter) -> None:
        self.opened += 1
        if self.down:
            to_client.transport.abort()
            return
        server, to_server = await asyncio.open_connection("127.0.0.1", self._target)
        self._open |= {to_client, to_server}
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(_copy(client, to_server))
                ways.create_task(_copy(server, to_client))
        finally:
            self._open -= {to_client, to_server}


async def _copy(reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


Rule = Callable[[httpx.Request], httpx.Response | None]


class Tampered(httpx.AsyncBaseTransport, httpx.BaseTransport):
    """A transport for either client that loses some replies, or gives others instead, after the server has answered."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._async = httpx.AsyncHTTPTransport()
        self._sync = httpx.HTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        instead = self._rule(request)
        answer = instead or await self._async.handle_async_request(request)
        return await _lost_async(answer) if request.extensions.get("lost") else answer

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        instead = self._rule(request)
        answer = instead or self._sync.handle_request(request)
        return _lost(answer) if request.extensions.get("lost") else answer

    async def aclose(self) -> None:
        await self._async.aclose()

    def close(self) -> None:
        self._sync.close()


async def _lost_async(answer: httpx.Response) -> httpx.Response:
    await answer.aread()
    raise httpx.ReadError("the reply was lost")


def _lost(answer: httpx.Response) -> httpx.Response:
    answer.read()
    raise httpx.ReadError("the reply was lost")


def losing(times: int, method: str = "POST") -> Tampered:
    """Lose the first replies to requests by this method; the server has done what they asked."""
    left = times

    def rule(request: httpx.Request) -> None:
        nonlocal left
        request.extensions = dict(request.extensions) | {"lost": request.method == method and left > 0}
        left -= request.method == method

    return Tampered(rule)
