"""Words for people: what jobs and teams wrote, made fit to be shown, and numbers said in words."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

CUT: Final = "…"

_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def line(text: object, limit: int) -> str:
    """The text on one line of at most `limit` characters, without anything that cannot be seen."""
    return _cut(" ".join(_visible(str(text)[: 4 * limit]).split()), limit)


def lines(text: object, limit: int) -> str:
    """The text with its lines, at most `limit` characters in all, without anything else that cannot be seen."""
    kept = "\n".join(_visible(part).rstrip() for part in str(text)[: 2 * limit].splitlines())
    return _cut(kept.strip("\n"), limit)


def _visible(text: str) -> str:
    return "".join(" " if unicodedata.category(character) in _INVISIBLE else character for character in text)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + CUT


def value(of: object, limit: int = 120) -> str:
    """A value of a result: a text as it is, anything else as JSON."""
    return line(of if isinstance(of, str) else json.dumps(of, ensure_ascii=False), limit)


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `2 min 5 s`, `3 h 4 min`, `2 d 3 h`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, size, rest, of in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            more = whole % size // of
            return f"{whole // size} {unit}" + (f" {more} {rest}" if more else "")
    return f"{whole} s"


def progress(of: Mapping[str, Any]) -> str:
    """`1,200 of 3,000 (40 %)`, or without a total `1,200`."""
    processed, total = int(of["processed"]), int(of.get("total") or 0)
    return f"{processed:,} of {total:,} ({100 * processed // total} %)" if total else f"{processed:,}"
