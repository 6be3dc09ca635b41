"""A network that can be made bad: TCP proxies whose connections are cut, frozen, slowed down, or lose replies."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from asyncio import StreamReader, StreamWriter
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
_NAME = re.compile(rb"application_name\x00([^\x00]+)\x00")


@dataclass
class Conditions:
    """How a proxy treats what passes through it, now."""

    frozen: frozenset[Way] = frozenset()
    """Nothing passes these ways. What was sent arrives late, as after a network has healed."""
    latency: float = 0.0
    """Each chunk waits up to this many seconds."""
    trickle: float | None = None
    """Bytes per second, both ways; None: as fast as it goes."""
    loss: float = 0.0
    """The share of replies that never arrive: the server has done what it was asked for, and the connection is cut."""
    cut_after: bytes | None = None
    """Cut once a client has sent this."""


@dataclass(eq=False)
class Link:
    """One connection through a proxy."""

    client: StreamReader
    to_client: StreamWriter
    server: StreamReader
    to_server: StreamWriter
    name: str = ""
    """What the client calls itself to PostgreSQL."""
    stalled_at: float | None = None
    """Since when something of it has been held back."""

    def cut(self, *, reset: bool) -> None:
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
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=256)
        self.port: int = self._listener.sockets[0].getsockname()[1]
        return self.port

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

    async def _accept(self, client: StreamReader, to_client: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            self.connects.append(monotonic())
            await self._until_open("up", None)
            server, to_server = await self.dial()
        except (OSError, asyncio.CancelledError):
            to_client.transport.abort()
            self._tasks.discard(task)
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
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            link.cut(reset=False)
            self.links.discard(link)
            self._tasks.discard(task)

    async def _pump(self, way: Way, link: Link, reader: StreamReader, writer: StreamWriter) -> None:
        with suppress(ConnectionError):
            while chunk := await reader.read(_CHUNK):
                if way == "up":
                    self._look(link, chunk)
                if not await self._pass(way, link, writer, chunk):
                    return

    def _look(self, link: Link, chunk: bytes) -> None:
        if not link.name and (found := _NAME.search(chunk)):
            link.name = found[1].decode()
        self.seen(link, chunk)

    async def _pass(self, way: Way, link: Link, writer: StreamWriter, chunk: bytes) -> bool:
        """Pass a chunk on. False once the connection is over."""
        now = self.conditions
        if now.latency:
            await asyncio.sleep(self.chance.uniform(0, now.latency))
        if not await self._until_open(way, link):
            return False
        if way == "down" and now.loss and self.chance.random() < now.loss:
            self.lost += 1
            link.cut(reset=True)
            return False
        if self.conditions.trickle is not None:
            await self._trickle(writer, chunk)
        else:
            writer.write(chunk)
            await writer.drain()
        if way == "up" and now.cut_after is not None and now.cut_after in chunk:
            self.lost += 1
            await asyncio.sleep(0.02)  # it arrives, and is answered to nobody
            link.cut(reset=True)
            return False
        return True

    async def _until_open(self, way: Way, link: Link | None) -> bool:
        """Wait while nothing passes this way. False if the client has given up meanwhile."""
        while way in self.conditions.frozen:
            if link is not None:
                link.stalled_at = link.stalled_at or monotonic()
            with suppress(TimeoutError):
                async with asyncio.timeout(0.02):
                    await self._changed.wait()
            if link is not None and link.client.at_eof():
                self._note_noticed(link)
                return False
        if link is not None:
            link.stalled_at = None
        return True

    def _note_noticed(self, link: Link) -> None:
        if link.stalled_at is not None:
            self.noticed.append(monotonic() - link.stalled_at)
            link.stalled_at = None

    async def _trickle(self, writer: StreamWriter, chunk: bytes) -> None:
        for place in range(len(chunk)):
            rate = self.conditions.trickle
            if rate is None:
                writer.write(chunk[place:])
                break
            writer.write(chunk[place : place + 1])
            await asyncio.sleep(1 / rate)
        await writer.drain()


def to_port(port: int) -> Dial:
    return lambda: asyncio.open_connection("127.0.0.1", port)


def to_socket(path: str) -> Dial:
    return lambda: asyncio.open_unix_connection(path)
