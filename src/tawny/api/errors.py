"""Errors as clients see them: one shape, `{"error": a sentence, "code": a stable word, …details}`, whatever raised."""

from __future__ import annotations

import json
from typing import Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from tawny.api.answers import CLOSE, Answer, Header
from tawny.db.pool import BUSY, UNREACHABLE
from tawny.errors import InvalidRequest, MethodNotAllowed, NotFound, RequestError, Unavailable

# What makes no sense to go on after: the rest of the request may still be on its way.
_CLOSING: Final = frozenset({408, 413, 414, 431})

_INTERNAL: Final = b'{"error":"Something went wrong on our side; it was logged.","code":"internal"}'


def answer_to(error: Exception, root: str = "") -> Answer | None:
    """The answer that says what went wrong; None for an error that nobody foresaw, about which a client is told nothing.

    `root` is the path under which the API is mounted.
    """
    known = _as_request_error(error, f"{root}/openapi.json")
    if known is None:
        return None
    return Answer(known.status, _body(known), [*_headers(known), *_allowed(error)])


def unforeseen() -> Answer:
    """The answer after an error that is our own fault."""
    return Answer(500, _INTERNAL)


def _as_request_error(error: Exception, document: str) -> RequestError | None:
    if isinstance(error, RequestError):
        return error
    if isinstance(error, HTTPException):
        return _of_framework(error, document)
    if isinstance(error, RequestValidationError):
        return InvalidRequest(f"The request does not have the shape that this operation takes; see {document}.")
    if isinstance(error, (*UNREACHABLE, *BUSY)):
        return Unavailable("The database cannot do this just now; try again in a moment.")
    return None


def _of_framework(error: HTTPException, document: str) -> RequestError | None:
    if error.status_code == 404:
        return NotFound(f"There is nothing at this address; see {document} for what there is.", code="unknown_route")
    if error.status_code == 405:
        return MethodNotAllowed("This address does not take this method; the header Allow names those it takes.")
    return InvalidRequest("This request cannot be read.") if 400 <= error.status_code < 500 else None


def _body(error: RequestError) -> bytes:
    return json.dumps({"error": error.message, "code": error.code, **error.details}, separators=(",", ":")).encode()


def _headers(error: RequestError) -> list[Header]:
    if error.status == 401:
        return [(b"www-authenticate", b"Bearer")]
    if error.status == 503:
        return [(b"retry-after", b"1")]
    if error.status == 429:
        return [(b"retry-after", str(error.details.get("retry_after", 1)).encode())]
    return [CLOSE] if error.status in _CLOSING else []


def _allowed(error: Exception) -> list[Header]:
    allowed = (error.headers or {}).get("Allow") if isinstance(error, HTTPException) else None
    if not allowed:
        return []
    methods = set(allowed.split(", "))
    return [(b"allow", ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set()))).encode())]
