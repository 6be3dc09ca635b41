"""A network that can be made bad: TCP proxies whose connections are cut, frozen, slowed down, or lose replies."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from asyncio import StreamReader, StreamReaderProtocol, StreamWriter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from time import monotonic
from typing import Literal

Way = Literal["up", "down"]
"""Up is towards the server, down towards the client."""

Dial = Callable[[], Awaitable[tuple[StreamReader, StreamWriter]]]

_CHUNK = 65_536
_LOOK = 0.02
"""Seconds between two looks at whether a client still waits for what is frozen."""

_NAME = re.compile(rb"application_name\x00([^\x00]+)\x00")


@dataclass
class Conditions:
    """How a proxy treats what passes through it, now."""

    frozen: frozenset[Way] = frozenset()
    """Nothing passes these ways, not even that somebody hung up. What was sent arrives late, as after a network has healed."""
    latency: float = 0.0
    """Each chunk waits up to this many seconds."""
    trickle: float | None = None
    """Bytes per second, both ways; None: as fast as it goes."""
    loss: float = 0.0
    """The share of replies that never arrive: the server has done what it was asked for, and the connection is cut."""
    cut_after: bytes | None = None
    """What clients send with this in it arrives, and instead of the reply the connection is cut."""


class Ear(StreamReader):
    """A reader that says at once when the other side has hung up, whatever of it is still to be read."""

    hung_up = False

    def feed_eof(self) -> None:
        self.hung_up = True
        super().feed_eof()

    def set_exception(self, exc: Exception) -> None:
        self.hung_up = True
        super().set_exception(exc)


@dataclass(eq=False)
class Link:
    """One connection through a proxy."""

    client: Ear
    to_client: StreamWriter
    server: StreamReader
    to_server: StreamWriter
    name: str = ""
    """What the client calls itself to PostgreSQL."""
    held_since: float | None = None
    """Since when something of it has been held back."""
    noticed: bool = False
    """The client has given it up while something was held back."""
    unanswered: bool = False
    """The client has said its last: instead of the next reply, it is cut."""
    is_cut: bool = False

    def cut(self, *, reset: bool) -> None:
        self.is_cut = True
        for writer in (self.to_client, self.to_server):
            if reset and (sock := writer.get_extra_info("socket")) is not None:
                with suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort() if reset else writer.close()


@dataclass(eq=False)
class Proxy:
    """Forwards the connections to one port of this machine."""

    dial: Dial
    chance: Random
    conditions: Conditions = field(default_factory=Conditions)
    seen: Callable[[Link, bytes], None] = lambda _link, _chunk: None
    """Called with each chunk that a client has sent, before it is passed on."""

    def __post_init__(self) -> None:
        self.links: set[Link] = set()
        self.connects: list[float] = []
        """When clients connected."""
        self.lost = 0
        """Replies that were dropped."""
        self.noticed: list[float] = []
        """Seconds until a client gave up a connection that was frozen while it waited for something."""
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> int:
        """Listen, and return the port."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            lambda: StreamReaderProtocol(Ear(loop=loop), self._accept, loop=loop), "127.0.0.1", 0, backlog=256
        )
        port: int = self._listener.sockets[0].getsockname()[1]
        self.port = port
        return port

    async def close(self) -> None:
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        self.cut(reset=True)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def set(self, conditions: Conditions) -> None:
        self.conditions = conditions
        self._changed.set()
        self._changed = asyncio.Event()

    def cut(self, *, reset: bool) -> int:
        """Cut every connection there is, and return how many that were."""
        links = list(self.links)
        for link in links:
            link.cut(reset=reset)
        return len(links)

    # One connection

    def _accept(self, client: StreamReader, to_client: StreamWriter) -> None:
        assert isinstance(client, Ear)
        self.connects.append(monotonic())
        task = asyncio.create_task(self._carry(client, to_client))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, client: Ear, to_client: StreamWriter) -> None:
        try:
            server, to_server = await self._dialled(client)
        except (OSError, asyncio.CancelledError):
            to_client.transport.abort()
            return
        link = Link(client, to_client, server, to_server)
        self.links.add(link)
        ways = [
            asyncio.create_task(self._pump("up", link, client, to_server)),
            asyncio.create_task(self._pump("down", link, server, to_client)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._look_who_is_left(link)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            link.cut(reset=False)
            self.links.discard(link)

    async def _dialled(self, client: Ear) -> tuple[StreamReader, StreamWriter]:
        while "up" in self.conditions.frozen:
            if client.hung_up:
                raise ConnectionAbortedError  # nothing of this connection has come through, so there never was one
            await self._change(_LOOK)
        return await self.dial()

    async def _pump(self, way: Way, link: Link, reader: StreamReader, writer: StreamWriter) -> None:
        """Pass on what is sent this way. Returns once it is known at the other end that the sender has hung up."""
        with suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                if way == "up":
                    self._look(link, chunk)
                if not await self._pass(way, link, writer, chunk):
                    return
        await self._until_open(way, link)

    def _look(self, link: Link, chunk: bytes) -> None:
        if not link.name and (found := _NAME.search(chunk)):
            link.name = found[1].decode()
        self.seen(link, chunk)

    async def _pass(self, way: Way, link: Link, writer: StreamWriter, chunk: bytes) -> bool:
        """Pass a chunk on. False once the connection is cut."""
        if self.conditions.latency:
            await asyncio.sleep(self.chance.uniform(0, self.conditions.latency))
        await self._hold(way, link)
        if way == "down" and self._is_lost(link):
            self.lost += 1
            link.cut(reset=True)
        if link.is_cut:
            return False
        if way == "up" and self.conditions.cut_after is not None and self.conditions.cut_after in chunk:
            link.unanswered = True
        # Where one end is gone, the other may still have something to say, which is heard until it hangs up as well.
        with suppress(ConnectionError):
            await self._write(writer, chunk)
        return True

    def _is_lost(self, link: Link) -> bool:
        loss = self.conditions.loss
        return link.unanswered or (loss > 0 and self.chance.random() < loss)

    # Frozen

    async def _hold(self, way: Way, link: Link) -> None:
        """Hold a chunk back while nothing passes this way."""
        if way in self.conditions.frozen:
            link.held_since = link.held_since or monotonic()
            await self._until_open(way, link)
            link.held_since = None

    async def _until_open(self, way: Way, link: Link) -> None:
        while way in self.conditions.frozen and not link.is_cut:
            self._look_who_is_left(link)
            await self._change(_LOOK)

    async def _change(self, seconds: float) -> None:
        """Wait until conditions change, but not for longer than this."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    def _look_who_is_left(self, link: Link) -> None:
        if link.held_since is not None and link.client.hung_up and not link.is_cut and not link.noticed:
            link.noticed = True
            self.noticed.append(monotonic() - link.held_since)

    # Written

    async def _write(self, writer: StreamWriter, chunk: bytes) -> None:
        while chunk and not writer.transport.is_closing():
            rate = self.conditions.trickle
            now, chunk = (chunk, b"") if rate is None else (chunk[:1], chunk[1:])
            writer.write(now)
            await writer.drain()
            if chunk and rate is not None:
                await self._change(1 / rate)


def to_port(port: int) -> Dial:
    return lambda: asyncio.open_connection("127.0.0.1", port)


def to_socket(path: str) -> Dial:
    return lambda: asyncio.open_unix_connection(path)
