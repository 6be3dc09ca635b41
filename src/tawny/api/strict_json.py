"""JSON, strictly: what two readers could understand differently, or cannot be stored, is refused with a code of its own."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, Final

from tawny.errors import InvalidRequest

DEPTH_LIMIT: Final = 32
KEY_LIMIT: Final = 10_000
ITEM_LIMIT: Final = 100_000
DIGIT_LIMIT: Final = 1_000

# An unterminated string takes all the rest: each quote is looked at once, so that this stays linear.
_STRING: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_NOT_A_BRACKET: Final = re.compile(r"[^\[\]{}]+")
_STEP: Final = {"[": 1, "{": 1, "]": -1, "}": -1}
# PostgreSQL can store neither.
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


def parse_object(raw: bytes) -> dict[str, Any]:
    """Return the object that these bytes are, numbers exact; InvalidRequest says what is wrong with any other bytes.

    Refused: another encoding than UTF-8, a byte order mark, more than 32 levels, 10,000 keys or 100,000 array items in all, a key
    twice in one object, NaN and numbers beyond 1e308, whole numbers of more than 1,000 digits, NUL and lone surrogates.
    Takes a time proportional to the length, whatever the bytes are.
    """
    text = _decode(raw)
    _require_shallow(text)
    value = _parse(text)
    if not isinstance(value, dict):
        raise InvalidRequest("The body has to be a JSON object.", code="must_be_object")
    if _could_be_many(text):
        _require_few(value)
    if "\\u" in text:
        _require_storable(value)
    return value


def _decode(raw: bytes) -> str:
    if raw.startswith((b"\xef\xbb\xbf", b"\xfe\xff", b"\xff\xfe")):
        raise InvalidRequest("The body begins with a byte order mark; send UTF-8 without one.", code="byte_order_mark")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest("The body is not UTF-8.", code="invalid_utf8", offset=error.start) from None


def _require_shallow(text: str) -> None:
    if text.count("[") + text.count("{") <= DEPTH_LIMIT:
        return
    brackets = _NOT_A_BRACKET.sub("", _STRING.sub("", text))
    if len(brackets) > 2 * (KEY_LIMIT + ITEM_LIMIT + 1):
        raise _too_many()
    if any(depth > DEPTH_LIMIT for depth in accumulate(map(_STEP.__getitem__, brackets))):
        raise InvalidRequest(f"The body is nested more than {DEPTH_LIMIT} levels deep.", code="too_deep")


def _parse(text: str) -> Any:
    try:
        return _decoder.decode(text)
    except json.JSONDecodeError as error:
        raise InvalidRequest(
            f"The body is not valid JSON, from character {error.pos} on.", code="invalid_json", offset=error.pos
        ) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidRequest("A key stands twice in one object.", code="duplicate_key")
    return found


def _whole(digits: str) -> int:
    if len(digits) > DIGIT_LIMIT:
        raise _bad_number(f"A whole number has at most {DIGIT_LIMIT} digits.")
    return int(digits)


def _fraction(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _bad_number("A number is beyond 1e308.")
    return number


def _constant(name: str) -> None:
    raise _bad_number(f"{name} is not JSON.")


def _bad_number(sentence: str) -> InvalidRequest:
    return InvalidRequest(sentence, code="invalid_number")


_decoder: Final = json.JSONDecoder(object_pairs_hook=_object, parse_int=_whole, parse_float=_fraction, parse_constant=_constant)


def _could_be_many(text: str) -> bool:
    """Every key and item but the first of its container has a comma before it."""
    return text.count(",") + text.count("[") + text.count("{") > KEY_LIMIT


def _require_few(value: Any) -> None:
    keys = items = 0
    for container in _containers(value):
        if isinstance(container, dict):
            keys += len(container)
        else:
            items += len(container)
        if keys > KEY_LIMIT or items > ITEM_LIMIT:
            raise _too_many()


def _too_many() -> InvalidRequest:
    return InvalidRequest(f"A body has at most {KEY_LIMIT} keys and {ITEM_LIMIT} array items.", code="too_many_values")


def _require_storable(value: Any) -> None:
    for container in _containers(value):
        texts = [*container, *container.values()] if isinstance(container, dict) else container
        if any(isinstance(text, str) and _UNSTORABLE.search(text) for text in texts):
            raise InvalidRequest(
                "A text holds NUL or half of a surrogate pair, which cannot be stored.", code="invalid_character"
            )


def _containers(value: Any) -> Iterator[dict[str, Any] | list[Any]]:
    waiting = [value]
    while waiting:
        container = waiting.pop()
        yield container
        inside = container.values() if isinstance(container, dict) else container
        waiting += [v for v in inside if isinstance(v, (dict, list))]
