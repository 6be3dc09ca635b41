"""The outermost wrapper: what is too large is refused before anything looks at it, and every error gets an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from traceback import format_exception
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tawny.api.answers import CLOSE, Answer, Header, send_answer
from tawny.api.body import BODY_LIMIT, ClientGone, declared_length
from tawny.api.errors import answer_to, unforeseen
from tawny.api.state import root_of
from tawny.errors import HeadersTooLarge, UriTooLong

URL_LIMIT: Final = 8 * 1024
HEADER_LIMIT: Final = 32 * 1024
HEADER_COUNT: Final = 100
LINGER_SECONDS: Final = 1.0
LINGER_BYTES: Final = 8 * BODY_LIMIT

log = structlog.get_logger()


class Guard:
    """Plain ASGI: Starlette's own base for middleware would cost each request a task group."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started = False

        async def noting_start(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            _require_reasonable(scope)
            await self._app(_as_get(scope), receive, noting_start)
        except ClientGone:
            return None
        except Exception as error:
            if started:
                raise
            await _refuse(scope, receive, send, _answer(scope, error))


def _as_get(scope: Scope) -> Scope:
    """HEAD is answered wherever GET is: the same way, and the server, which keeps its own scope, leaves the body out."""
    return {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope


def _require_reasonable(scope: Scope) -> None:
    if len(scope["raw_path"]) + len(scope["query_string"]) > URL_LIMIT:
        raise UriTooLong(f"The address is longer than {URL_LIMIT} bytes.")
    headers = scope["headers"]
    if len(headers) > HEADER_COUNT or sum(len(name) + len(value) for name, value in headers) > HEADER_LIMIT:
        raise HeadersTooLarge(f"A request has at most {HEADER_COUNT} headers of {HEADER_LIMIT} bytes in all.")


def _answer(scope: Scope, error: Exception) -> Answer:
    answer = answer_to(error, root_of(scope))
    if answer is None:
        note_failure(scope, error)
        answer = unforeseen()
    if CLOSE not in answer.headers and _may_send_much(scope["headers"]):
        return Answer(answer.status, answer.body, [*answer.headers, CLOSE])
    return answer


def note_failure(scope: Scope, error: Exception) -> None:
    """Log an error that nobody foresaw: the path and a traceback without values, since queries, headers and local variables may
    hold what is secret."""
    log.error("a request failed", method=scope["method"], path=scope["path"], traceback="".join(format_exception(error)))


async def _refuse(scope: Scope, receive: Receive, send: Send, answer: Answer) -> None:
    if answer.status == 408 or not _may_send_much(scope["headers"]) or _waits_for_a_word(scope["headers"]):
        return await send_answer(send, answer)
    # A client that is still sending sees a closed connection before it sees the answer: give it a moment to read that.
    await send_answer(send, answer, ended=False)
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            await _read_away(receive)
    await send({"type": "http.response.body"})
    return None


async def _read_away(receive: Receive) -> None:
    read = 0
    while read < LINGER_BYTES:
        message = await receive()
        read += len(message.get("body", b""))
        if not message.get("more_body", False):
            return


def _waits_for_a_word(headers: Iterable[Header]) -> bool:
    """Whether the client sends its body only once it is told to go on; reading it would tell so."""
    return any(name == b"expect" for name, _ in headers)


def _may_send_much(headers: Iterable[Header]) -> bool:
    """Whether the body, which nobody will read after an error, could go on for long."""
    return any(name == b"transfer-encoding" for name, _ in headers) or declared_length(headers) > BODY_LIMIT
