"""HTTP/1.1 as uvicorn reads it, with bounds on what comes before a request is one."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 65_536
HEAD_SECONDS = 15.0


class HttpProtocol(HttpToolsProtocol):
    """Gives up on a request line and headers that are endless or too slow, and answers in JSON like everything else does.

    httptools has no bound of its own. A head that fits into one read may be a little longer than `HEAD_BYTES`; the API then
    judges it.
    """

    _reading_head = False
    _head_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._reading_head:
            self._wait_for_more(len(data))

    def on_message_begin(self) -> None:
        self._reading_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._reading_head = False
        if self._head_timer is not None:
            self._stop_timer()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "invalid_http", "This is not a valid HTTP request.")

    def _wait_for_more(self, received: int) -> None:
        self._head_bytes += received
        if self._head_bytes > HEAD_BYTES:
            self._refuse(431, "headers_too_large", "The request line and headers are too large.")
        elif self._head_timer is None:
            self._start_timer()

    def _start_timer(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        if self._reading_head:
            self._refuse(408, "request_timeout", "The request line and headers came too slowly.")
        else:
            self.transport.close()

    def _refuse(self, status: int, code: str, sentence: str) -> None:
        self._stop_timer()
        self._reading_head = False
        self.transport.write(_answer(status, {"error": sentence, "code": code}))
        self.transport.close()


def _answer(status: int, body: dict[str, Any]) -> bytes:
    text = json.dumps(body, separators=(",", ":")).encode()
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(text)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + text
