"""How the API says no: the object of every error, and the answers that are no answers."""

from __future__ import annotations

import json
from typing import Any, Final

from tawny.testing.revenuecat.http import Answer
from tawny.testing.revenuecat.wire import Json

_BACKOFF_MS: Final = 1000

HTML: Final = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


def encoded(body: Json) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def error(kind: str, message: str, *, retryable: bool = False, **more: Any) -> Json:
    """The object of an error."""
    doc_url = f"https://errors.rev.cat/{kind.replace('_', '-')}"
    return {"object": "error", "type": kind, "message": message, "retryable": retryable, "doc_url": doc_url} | more


def refused(status: int, kind: str, message: str, **more: Any) -> Answer:
    return Answer(status, encoded(error(kind, message, **more)))


def unauthenticated() -> Answer:
    return refused(401, "authentication_error", "Invalid API key.")


def not_allowed(scope: str) -> Answer:
    message = f"Your API key is missing a permission: this request needs at least the {scope} permission."
    return refused(403, "authorization_error", message)


def missing(what: str) -> Answer:
    return refused(404, "resource_missing", f"The {what} could not be found.", param=None)


def wrong_limit(cap: int) -> Answer:
    return refused(400, "parameter_error", f"limit must be between 1 and {cap}.", param="limit")


def server_error(status: int, scale: float) -> Answer:
    backoff = round(_BACKOFF_MS / scale)
    return refused(status, "server_error", "Something went wrong on our side.", retryable=True, backoff_ms=backoff)


def locked(scale: float) -> Answer:
    backoff = round(_BACKOFF_MS / scale)
    return refused(423, "resource_locked_error", "Another request is changing it.", retryable=True, backoff_ms=backoff)


def bad_gateway() -> Answer:
    return Answer(502, HTML, content_type="text/html")
