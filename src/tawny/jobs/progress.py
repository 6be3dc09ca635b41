"""How far an attempt is: the rules of its numbers, and the place where a flush finds them."""

from __future__ import annotations

import operator
from string import Formatter
from typing import Any, Final

from tawny.jobs.text import clean_text

LARGEST: Final = 2**53 - 1
"""The largest number of progress: the largest that every reader of JSON holds exactly."""


class Template:
    """A message that says the numbers it is stored with: `Exported {processed} of {total}`, or `{total:,}` in thousands.

    Nothing else may stand in braces: no other name, attribute, index, conversion or format; ValueError otherwise.
    """

    __slots__ = ("_parts",)

    def __init__(self, text: str) -> None:
        self._parts = [(literal, *_field(field, spec, conversion)) for literal, field, spec, conversion in _parse(text)]

    def render(self, processed: int, total: int) -> str:
        """Return the message; a total that is not known is shown as `?`."""
        shown: dict[str, int | str] = {"": "", "processed": processed, "total": total or "?"}
        return "".join(literal + _formatted(shown[field], spec) for literal, field, spec in self._parts)


def _formatted(value: int | str, spec: str) -> str:
    return format(value, spec) if isinstance(value, int) else value


def _parse(text: str) -> list[tuple[str, str | None, str | None, str | None]]:
    if not isinstance(text, str):
        raise ValueError(f"The message of track() must be text, not {type(text).__name__}.")
    try:
        return list(Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"The message of track() is not a template ({error}); write {{{{ for a brace.") from None


def _field(field: str | None, spec: str | None, conversion: str | None) -> tuple[str, str]:
    if field is None:
        return "", ""
    if field not in ("processed", "total") or spec not in ("", ",") or conversion:
        raise ValueError("The message of track() may hold {processed} and {total} in braces, and nothing else.")
    return field, spec or ""


Reported = tuple[int, int, str | Template | None]
"""Processed, total (0: not known) and message, as they were reported together."""


class Progress:
    """The progress of one attempt, between the handler that reports it and the flush that stores it.

    `latest` is always replaced by a whole new tuple, in one store: a reader on another thread sees one report or the next,
    never a mixture, and needs no lock. The flush remembers the tuple it stored last and asks `newer_than(it)`.
    """

    __slots__ = ("latest",)

    def __init__(self) -> None:
        self.latest: Reported | None = None

    def report(self, processed: Any, total: Any = None, message: str | Template | None = None) -> None:
        """Take the author's numbers; the rules are those of `Run.progress`."""
        # Called a million times by a busy handler: good numbers pass through comparisons alone.
        if type(processed) is not int or not 0 <= processed <= LARGEST:
            processed = _whole(processed, "processed")
        before, known, _ = self.latest or _NOTHING
        if total is None:
            total = known
        elif type(total) is not int or not 0 <= total <= LARGEST:
            total = _whole(total, "total")
        if processed > total > 0:
            processed = total
        if processed < before:
            processed = before
            if 0 < total < before:
                total = before
        self.latest = (processed, total, message)

    def newer_than(self, stored: Reported | None) -> Reported | None:
        """Return the latest report unless it is the one that was stored last; None where there is nothing to store.

        Nor is one returned that falls behind it: two threads of one handler may report at the same moment.
        """
        latest = self.latest
        if latest is None or latest is stored or (stored is not None and latest[0] < stored[0]):
            return None
        return latest


_NOTHING: Reported = (0, 0, None)


def as_stored(reported: Reported) -> dict[str, object]:
    """Return a report in the shape in which it is stored and shown: `{processed, total, message?}`."""
    processed, total, message = reported
    if message is None:
        return {"processed": processed, "total": total}
    text = message.render(processed, total) if isinstance(message, Template) else message
    return {"processed": processed, "total": total, "message": clean_text(text)}


def _whole(value: object, name: str) -> int:
    number = _as_int(value)
    if number is None:
        shown = f"{value}" if isinstance(value, float) else type(value).__name__
        raise ValueError(f"The {name} of a progress must be a whole number, not {shown}.")
    if not 0 <= number <= LARGEST:
        raise ValueError(f"The {name} of a progress must be between 0 and {LARGEST}, not {_short(number)}.")
    return number


def _as_int(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    try:
        return operator.index(value)  # type: ignore[arg-type]  # int of numpy and the like; refuses all else
    except TypeError:
        return None


def _short(number: int) -> str:
    return str(number) if abs(number) < 10**20 else "something larger"
