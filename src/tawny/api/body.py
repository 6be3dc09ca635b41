"""The body of a request: read within bounds of size and time, and only when it says that it is JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

from starlette.types import Receive, Scope

from tawny.api.answers import Header
from tawny.api.strict_json import parse_object
from tawny.errors import PayloadTooLarge, Timeout, UnsupportedMedia

BODY_LIMIT: Final = 1024 * 1024
BODY_SECONDS = 10.0
"""How long the whole body may take to arrive."""


class ClientGone(Exception):
    """The client closed the connection before its request was complete: nobody is there to be answered."""


async def read_object(scope: Scope, receive: Receive) -> dict[str, Any] | None:
    """Return the JSON object in the body, None when there is no body at all.

    PayloadTooLarge over 1 MiB, before reading when the length is declared; Timeout after 10 s; UnsupportedMedia unless it is said
    to be plain JSON in UTF-8; InvalidRequest for what is not strictly JSON (see `strict_json`).
    """
    raw = await read_bytes(scope, receive)
    if not raw:
        return None
    _require_plain_json(scope["headers"])
    return parse_object(raw)


async def read_bytes(scope: Scope, receive: Receive) -> bytes:
    """Return the body as it came. PayloadTooLarge over 1 MiB, before reading when the length is declared; Timeout after 10 s."""
    if declared_length(scope["headers"]) > BODY_LIMIT:
        raise _too_large()
    return await _read(receive)


def declared_length(headers: Iterable[Header]) -> int:
    """What `Content-Length` says, 0 when it says nothing."""
    return next((int(value) for name, value in headers if name == b"content-length" and value.isdigit()), 0)


async def _read(receive: Receive) -> bytes:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _read_all(receive)
    except TimeoutError:
        raise Timeout(f"The body did not arrive within {BODY_SECONDS:g} seconds.") from None


async def _read_all(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        body += message.get("body", b"")
        if len(body) > BODY_LIMIT:
            raise _too_large()
        if not message.get("more_body", False):
            return bytes(body)


def _too_large() -> PayloadTooLarge:
    return PayloadTooLarge(f"A body has at most {BODY_LIMIT} bytes.")


def _require_plain_json(headers: Iterable[Header]) -> None:
    types = [value for name, value in headers if name == b"content-type"]
    if len(types) != 1 or not _is_json_in_utf8(types[0]):
        raise UnsupportedMedia("Send the body as JSON, with the header `Content-Type: application/json`.")
    encodings = [value.lower() for name, value in headers if name == b"content-encoding"]
    if any(encoding != b"identity" for encoding in encodings):
        raise UnsupportedMedia("Send the body as it is, without Content-Encoding.", code="unsupported_content_encoding")


def _is_json_in_utf8(content_type: bytes) -> bool:
    media, *parameters = (part.strip().lower() for part in content_type.split(b";"))
    return media == b"application/json" and all(p in (b"", b"charset=utf-8", b'charset="utf-8"') for p in parameters)
