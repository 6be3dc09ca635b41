"""How times, durations, numbers and people are written."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

STATUSES: Final[Mapping[str, str]] = {
    "pending": "Pending",
    "running": "Running",
    "completed": "Completed",
    "failed": "Failed",
    "cancelled": "Cancelled",
}


def moment(time: str | datetime) -> datetime:
    """A time that may still be text, in UTC."""
    return (datetime.fromisoformat(time) if isinstance(time, str) else time).astimezone(UTC)


def iso(time: str | datetime) -> str:
    """For programs: UTC, milliseconds."""
    return f"{moment(time).isoformat(timespec='milliseconds').removesuffix('+00:00')}Z"


def utc(time: str | datetime) -> str:
    """For people who compare machines: the whole time in UTC."""
    return f"{moment(time):%Y-%m-%d %H:%M:%S} UTC"


def ago(time: str | datetime, now: datetime | None = None) -> str:
    """How long ago that was, in its largest unit: `12s ago`."""
    seconds = ((now or datetime.now(UTC)) - moment(time)).total_seconds()
    return f"in {short(-seconds)}" if seconds <= -1 else "now" if seconds < 1 else f"{_largest(seconds)} ago"


def duration(started: str | datetime, ended: str | datetime | None) -> str:
    """From one time to another, or to now."""
    until = datetime.now(UTC) if ended is None else moment(ended)
    return short((until - moment(started)).total_seconds())


def short(seconds: float) -> str:
    """A duration in at most two units: `340ms`, `4.2s`, `1m 12s`, `2h 5m`."""
    seconds = max(0.0, seconds)
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    if seconds < 10:
        return f"{int(seconds * 10) / 10:g}s"
    if seconds < 60:
        return f"{int(seconds)}s"
    whole = timedelta(seconds=int(seconds))
    hours, rest = divmod(whole.seconds, 3600)
    if whole.days:
        return f"{whole.days}d {hours}h"
    return f"{hours}h {rest // 60}m" if hours else f"{rest // 60}m {rest % 60}s"


def _largest(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def number(value: float) -> str:
    """A number with its thousands apart."""
    return f"{value:,}"


def count(counted: Any) -> str:
    """A `Count`; one that stopped at its cap says so."""
    return f"{counted.count:,}{'+' if counted.capped else ''}"


def size(of_bytes: int) -> str:
    """An amount of memory: `84 MB`, `1.2 GB`."""
    megabytes = of_bytes / 1_000_000
    return f"{megabytes:.0f} MB" if megabytes < 1000 else f"{megabytes / 1000:.1f} GB"


def share(part: float | None) -> str:
    """A part of a whole in percent, exact where it is small; a dash when nobody knows."""
    if part is None:
        return "–"
    return f"{100 * part:.1f} %" if 0 < part < 0.1 else f"{100 * part:.0f} %"


def percent(progress: Mapping[str, Any]) -> int | None:
    """How much of the work is done, from 0 to 100; None while the total is not known."""
    total = progress.get("total") or 0
    return min(100, int(100 * progress["processed"] / total)) if total > 0 else None


def pretty(value: Any) -> str:
    """Something that came as JSON, over several lines."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def one_line(value: Any) -> str:
    """Something that came as JSON, on one line; a text without its quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def clock(time: str | datetime) -> str:
    """The time of day, in UTC."""
    return f"{moment(time):%H:%M:%S}"


def in_zone(time: datetime, zone: tzinfo) -> str:
    """A time as the clocks of a zone show it."""
    return f"{time.astimezone(zone):%a %d %b %Y, %H:%M %Z}"


def brief(run_id: object) -> str:
    """The end of an id, which tells runs of one moment apart."""
    return str(run_id)[-8:]


FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "ago": ago,
    "brief": brief,
    "clock": clock,
    "count": count,
    "duration": duration,
    "in_zone": in_zone,
    "iso": iso,
    "json": pretty,
    "json_line": one_line,
    "number": number,
    "percent": percent,
    "share": share,
    "short": short,
    "size": size,
    "utc": utc,
}
