"""What both clients have in common: addresses, errors, and when a request is sent again."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from tawny import errors
from tawny.errors import RequestError, TawnyError, Unreachable

SECONDS: Final = 30.0
"""How long a request may take, and for how long one that cannot be answered is sent again."""

SILENCE: Final = 20.0
"""Seconds without a byte after which a stream is taken for lost: the server says that it is there each 15 seconds."""

_ERRNO: Final = re.compile(r"^\[Errno -?\d+\] ")
_AGAIN: Final = frozenset({429, 502, 503, 504})
_LONGEST_PAUSE: Final = 5.0
_BY_STATUS: Final[Mapping[int, type[RequestError]]] = {
    error.status: error
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, RequestError) and error is not RequestError
}


def check_url(url: str) -> str:
    """The address of the server without a slash at its end; ValueError for what is none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"The address of the server should look like https://tawny.example.com, not {url!r}.")
    return url.rstrip("/")


def headers(api_key: str | None) -> dict[str, str]:
    """What every request says."""
    said = {"accept": "application/json", "user-agent": "tawny-client"}
    return said | ({"authorization": f"Bearer {api_key}"} if api_key else {})


def may_be_sent_again(answer: httpx.Response) -> bool:
    """Whether the server asks to come back later."""
    return answer.status_code in _AGAIN


def pause_before(attempt: int, answer: httpx.Response | None = None) -> float:
    """Seconds to wait before the next try: what the server asks for, or up to twice as long each time, at random."""
    asked = answer.headers.get("retry-after", "") if answer is not None else ""
    if asked.isdigit():
        return float(asked) + random.random()  # noqa: S311 (to spread clients)
    return random.uniform(0.05, min(_LONGEST_PAUSE, 0.2 * 2**attempt))  # noqa: S311


def content_of(answer: httpx.Response) -> Any:
    """The JSON of an answer; the error that it is, as `tawny.errors` has it."""
    try:
        content = answer.json() if answer.content else {}
    except ValueError:
        raise Unreachable(f"{_place(answer)} does not answer as a Tawny server does (status {answer.status_code}).") from None
    if answer.is_success:
        return content
    raise _error(answer, content if isinstance(content, dict) else {})


def _error(answer: httpx.Response, content: dict[str, Any]) -> TawnyError:
    message = str(content.pop("error", answer.reason_phrase))
    kind = _BY_STATUS.get(answer.status_code)
    if kind is None:
        return Unreachable(f"{_place(answer)} failed with status {answer.status_code}: {message}")
    return kind(message, code=content.pop("code", None), **content)


def unreachable(url: str, error: httpx.HTTPError) -> Unreachable:
    """Why there was no answer."""
    why = _ERRNO.sub("", str(error)).rstrip(".") or type(error).__name__
    return Unreachable(f"{url} cannot be reached: {why}.")


def _place(answer: httpx.Response) -> str:
    return f"{answer.request.url.scheme}://{answer.request.url.netloc.decode()}"
