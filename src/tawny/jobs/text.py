"""The one cleaner of text that comes out of jobs: messages, errors, whatever an author's code says."""

from __future__ import annotations

import re
from typing import Final

LIMIT: Final = 10_240
"""Bytes of UTF-8 that one text from a job may take."""

CUT_MARK: Final = "… (cut)"
REPLACEMENT: Final = "\ufffd"

# What PostgreSQL cannot hold (NUL, lone surrogates), and what changes how the text around it is shown: control characters
# (terminals act on them) and the explicit directions (they show text in another order than it is stored).
_LINE_ENDS = re.compile("\r\n?")
_SURROGATE = re.compile("[\ud800-\udfff]")
# An escaped NUL in JSON text: the backslash of \u0000 must not itself be escaped by the one before it.
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def clean_text(text: object, limit: int = LIMIT) -> str:
    """Return `str(text)` so that any store, mail, page or terminal can take it.

    Control characters but newline and tab, explicit bidirectional controls and lone surrogates become U+FFFD; every line end
    becomes a newline. At most `limit` bytes of UTF-8 are kept, a longer text ends with a mark. Never raises, whatever
    `__str__` does.
    """
    # A character takes a byte or more and only a pair of line ends shrinks, so what lies behind this bound never shows.
    kept = _UNSAFE.sub(REPLACEMENT, _LINE_ENDS.sub("\n", _read(text)[: 2 * limit + 2]))
    encoded = kept.encode()
    if len(encoded) <= limit:
        return kept
    mark = CUT_MARK.encode()[:limit]
    return (encoded[: limit - len(mark)] + mark).decode(errors="ignore")


def clean_json(text: str) -> str:
    """Return a JSON text with U+FFFD for what PostgreSQL cannot store in one: lone surrogates and escaped NUL."""
    return _NUL.sub(rf"\1{REPLACEMENT}", _SURROGATE.sub(REPLACEMENT, text))


def _read(text: object) -> str:
    try:
        return str.__str__(text if isinstance(text, str) else str(text))
    except BaseException:  # an author's __str__ may raise anything, SystemExit included, and the run must end all the same
        return f"({type(text).__name__} without a readable text)"
