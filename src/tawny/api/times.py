"""Times in queries, `7d` before now or ISO 8601, and in answers."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_RELATIVE: Final = re.compile(r"(\d{1,9})([smhdw])", re.ASCII)
_ISO: Final = re.compile(
    r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?", re.ASCII | re.IGNORECASE
)


def parse_time(text: str, now: datetime) -> datetime:
    """Return the instant in UTC. Without a zone it is UTC, without a time midnight. ValueError with a sentence otherwise."""
    if " " in text:
        raise ValueError("has a space in it; in an address write T between date and time, and + as %2B")
    try:
        return _parse(text, now)
    except (ValueError, OverflowError):
        raise ValueError("should be like 30s, 15m, 1h, 7d, 2w, 2024-02-29 or 2024-02-29T12:00:00Z") from None


def _parse(text: str, now: datetime) -> datetime:
    relative = _RELATIVE.fullmatch(text)
    if relative:
        return now - timedelta(seconds=int(relative[1]) * _UNITS[relative[2]])
    if not _ISO.fullmatch(text):
        raise ValueError
    time = datetime.fromisoformat(text.upper())
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def format_time(time: datetime) -> str:
    """An instant as clients see it, just as `ms` in the database writes it: ISO 8601, UTC, milliseconds."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
