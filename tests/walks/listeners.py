"""Many who listen to a server at once, over plain sockets."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from types import TracebackType
from urllib.parse import urlsplit


@dataclass
class Listener:
    """One who listens, comes back from the last id whenever the connection ends, and writes down what was heard."""

    address: str
    path: str
    key: str
    last_id: str = ""
    heard: list[tuple[str, int]] = field(default_factory=list)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    reading: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0

    def __post_init__(self) -> None:
        self.reading.set()

    async def listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.05)

    async def _listen_once(self) -> None:
        parts = urlsplit(self.address)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 14)
        try:
            writer.write(self._request(parts.netloc))
            fields: dict[str, str] = {}
            while line := await reader.readline():
                text = line.decode().rstrip("\r\n")
                if text:
                    name, _, value = text.partition(": ")
                    fields[name] = value
                elif "event" in fields:
                    self._note(fields)
                    fields = {}
                await self.reading.wait()
        finally:
            writer.close()

    def _request(self, host: str) -> bytes:
        resumed = f"last-event-id: {self.last_id}\r\n" if self.last_id else ""
        return f"GET {self.path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {self.key}\r\n{resumed}\r\n".encode()

    def _note(self, fields: dict[str, str]) -> None:
        self.last_id = fields.get("id", self.last_id)
        if fields["event"] == "open":
            self.connections += 1
            self.opened.set()
        elif fields["event"] != "progress":
            data = json.loads(fields["data"])
            self.heard.append((data["run_id"], data["seq"]))


class Crowd:
    """Listeners of one team."""

    def __init__(self, address: str, team_id: str, key: str) -> None:
        self.address = address
        self.listeners: list[Listener] = []
        self._path = f"/v1/teams/{team_id}/jobs/events"
        self._key = key
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Crowd:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def grow(self, size: int) -> None:
        """Add listeners until there are so many, all of them listening."""
        added = [Listener(self.address, self._path, self._key) for _ in range(size - len(self.listeners))]
        self.listeners += added
        self._tasks += [asyncio.create_task(listener.listen()) for listener in added]
        async with asyncio.timeout(60):
            await asyncio.gather(*(listener.opened.wait() for listener in added))
