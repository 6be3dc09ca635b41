"""What goes back to a browser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.types import Send

from tawny.api.answers import Header

# Nothing from elsewhere and nothing written into the page runs or is shown, whatever text gets into it.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Final[tuple[Header, ...]] = (
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", POLICY.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"referrer-policy", b"same-origin"),
    (b"vary", b"cookie, hx-request"),
    (b"x-content-type-options", b"nosniff"),
)


@dataclass(frozen=True, slots=True)
class Reply:
    """A status, some HTML, and the headers that only this reply has; they come before those of every reply."""

    status: int
    html: str = ""
    headers: Sequence[Header] = ()


async def send_reply(send: Send, reply: Reply) -> None:
    """Send all of it."""
    body = reply.html.encode()
    own = {name for name, _ in reply.headers}
    usual = [header for header in HEADERS if header[0] not in own]
    headers = [*usual, (b"content-length", b"%d" % len(body)), *reply.headers]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
