"""A bad network between clients and a server: replies are lost on their way, the same share of them for the same seed."""

from __future__ import annotations

import asyncio
import random
from asyncio import StreamReader, StreamWriter
from contextlib import suppress

_CHUNK = 65_536


class Proxy:
    """Forwards TCP connections to a port of this machine, and cuts some of them while the server replies.

    What becomes of a connection is drawn when it is opened. With the probability `loss` its reply is cut: half of those before
    the first byte, the others after a random number of bytes below `within`, if the reply is that long. Requests always arrive,
    and the server has begun to reply before a connection is cut: it has done what it was asked for.
    """

    def __init__(self, port: int, *, seed: int, loss: float, within: int = 500) -> None:
        self._target = port
        self._chance = random.Random(seed)
        self._loss = loss
        self._within = within
        self.cut = 0
        """How many replies did not arrive whole."""

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _forward(self, client: StreamReader, to_client: StreamWriter) -> None:
        limit = self._draw()
        server, to_server = await asyncio.open_connection("127.0.0.1", self._target)
        requests = asyncio.create_task(_copy(client, to_server))
        try:
            with suppress(ConnectionError):
                await self._reply(server, to_client, limit)
        finally:
            requests.cancel()
            to_server.close()
            to_client.close()

    def _draw(self) -> int | None:
        """After how many bytes the reply is cut; None: never."""
        if self._chance.random() >= self._loss:
            return None
        return self._chance.choice([0, self._chance.randrange(1, self._within)])

    async def _reply(self, server: StreamReader, to_client: StreamWriter, limit: int | None) -> None:
        while reply := await server.read(_CHUNK):
            if limit is not None and len(reply) > limit:
                self.cut += 1
                to_client.write(reply[:limit])
                return
            limit = None if limit is None else limit - len(reply)
            to_client.write(reply)
            await to_client.drain()


async def _copy(reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
