"""A program that webhooks post to: it checks who sent what, as the guide says, and takes nothing twice."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Post:
    """What arrived, and whether it was let in."""

    line: str
    headers: dict[str, str]
    body: bytes
    verdict: str = ""


def check(secret: str, post: Post, seen: set[str], now: float) -> str:
    """`ok`, or why a post is refused: `signature`, `old` or `replay`."""
    message_id, sent_at = post.headers["webhook-id"], post.headers["webhook-timestamp"]
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{message_id}.{sent_at}.".encode() + post.body, hashlib.sha256)
    ours = f"v1,{base64.b64encode(mac.digest()).decode()}"
    if not any(hmac.compare_digest(ours, theirs) for theirs in post.headers["webhook-signature"].split(" ")):
        return "signature"
    if abs(now - int(sent_at)) > 300:
        return "old"
    if message_id in seen:
        return "replay"
    seen.add(message_id)
    return "ok"


@dataclass
class Receiver:
    """Answers each post with what `answer` says, which is the bytes of an HTTP response. `secret`: who may post."""

    secret: str | None = None
    answer: Callable[[Post], bytes] = lambda _: b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    posts: list[Post] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    gate: asyncio.Event | None = None
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
            headers = dict(text.split(": ", 1) for text in lines)
            headers = {name.lower(): value for name, value in headers.items()}
            post = Post(line, headers, await reader.readexactly(int(headers["content-length"])))
            post.verdict = check(self.secret, post, self.seen, time.time()) if self.secret else ""
            self.posts.append(post)
            if self.gate is not None:
                await self.gate.wait()
            writer.write(self.answer(post))
            await writer.drain()
        writer.close()


@asynccontextmanager
async def opened(receiver: Receiver, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    server = await asyncio.start_server(receiver._serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
