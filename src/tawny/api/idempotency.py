"""`Idempotency-Key`: how it is read, and how an answer tells that it was given before."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from tawny.api.answers import Answer, Header
from tawny.api.call import Call
from tawny.errors import InvalidRequest
from tawny.runs import Triggered

KEY: Final = re.compile(r"[\x20-\x7e]{1,255}", re.ASCII)

_REPLAYED: Final[Header] = (b"idempotency-replayed", b"true")


def idempotency_key(headers: Iterable[Header]) -> str | None:
    """The key that the request carries, None without one; InvalidRequest unless it is one header of printable ASCII."""
    found = [value for name, value in headers if name == b"idempotency-key"]
    if not found:
        return None
    key = found[0].decode("latin-1").strip(" \t")
    if len(found) > 1 or not KEY.fullmatch(key):
        raise InvalidRequest(
            "Idempotency-Key should be given once, with 1 to 255 printable ASCII characters.", code="invalid_idempotency_key"
        )
    return key


def answer_with(call: Call, made: Triggered) -> Answer:
    """The answer to a request that made a run, or whose run an earlier one with its key has made."""
    body = f'{{"job_run":{made.run_json}}}'.encode()
    if made.replayed:
        return Answer(201, body, [_REPLAYED])
    call.state.waker.wake()
    return Answer(201, body)
