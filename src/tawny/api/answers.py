"""What goes back to a client: JSON bytes under headers that are the same for every answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.types import Send

Header = tuple[bytes, bytes]

_OF_ALL: Final[tuple[Header, ...]] = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
HEADERS: Final[tuple[Header, ...]] = ((b"content-type", b"application/json; charset=utf-8"), *_OF_ALL)
STREAM_HEADERS: Final[tuple[Header, ...]] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    *_OF_ALL,
    (b"x-accel-buffering", b"no"),  # or nginx would keep the events until it has a page full of them
)
CLOSE: Final[Header] = (b"connection", b"close")


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, a text (JSON, unless `kind` says what else), and the headers that only this answer has."""

    status: int
    body: bytes
    headers: Sequence[Header] = ()
    kind: bytes | None = None


def answered(value: Mapping[str, Any], status: int = 200, headers: Sequence[Header] = ()) -> Answer:
    """An answer with this object; ids are written as texts, times in UTC with milliseconds."""
    return Answer(status, json.dumps(value, default=_plain, separators=(",", ":")).encode(), headers)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC).isoformat(timespec='milliseconds').removesuffix('+00:00')}Z"
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


async def send_answer(send: Send, answer: Answer, *, ended: bool = True) -> None:
    """Send all of it. The server leaves the body out when the request was a HEAD. Unless `ended`, it does not close yet."""
    first = HEADERS if answer.kind is None else ((b"content-type", answer.kind), *_OF_ALL)
    headers = [*first, (b"content-length", b"%d" % len(answer.body)), *answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": not ended})


class JsonResponse(JSONResponse):
    """The answer of FastAPI's own routes, with the same headers."""

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        super().init_headers(headers)
        self.raw_headers = [*HEADERS, *(header for header in self.raw_headers if header[0] != b"content-type")]


class TextResponse(PlainTextResponse):
    """A text, in the format of Prometheus, with the headers of every answer."""

    media_type = "text/plain; version=1.0.0"

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        super().init_headers(headers)
        self.raw_headers += _OF_ALL
