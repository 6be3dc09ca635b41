"""The parameters of a list."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, cast

from tawny.api import parameters
from tawny.api.parameters import Given, invalid
from tawny.api.uuids import parse_uuid
from tawny.errors import InvalidRequest
from tawny.runs import STATUSES, Filter, Position, Status

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 200
KNOWN: Final = frozenset({"job_type", "status", "project_id", "since", "until", "limit", "cursor"})

_CURSOR: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)\|([0-9a-f-]{36})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a list was asked for."""

    where: Filter
    limit: int


_EVERYTHING: Final = Asked(Filter(), LIMIT_DEFAULT)


def parse_query(query_string: bytes, now: datetime | None = None) -> Asked:
    """Read the parameters of a list. Unknown ones are ignored, as everywhere on the web; a known one that is empty, repeated or
    malformed is InvalidRequest naming it."""
    if not query_string:
        return _EVERYTHING
    given = parameters.read(query_string, KNOWN)
    now = now or datetime.now(UTC)
    where = Filter(
        job_type=parameters.job_type(given),
        status=cast("Status | None", parameters.word(given, "status", STATUSES)),
        project_id=parameters.project_id(given),
        since=parameters.time(given, "since", now),
        until=parameters.time(given, "until", now),
        after=_position(given),
    )
    return Asked(where, parameters.number(given, "limit", default=LIMIT_DEFAULT, least=1, most=LIMIT_MAX))


def _position(given: Given) -> Position | None:
    text = given.get("cursor")
    if text is None:
        return None
    found = _CURSOR.fullmatch(text)
    run_id = parse_uuid(found[2]) if found else None
    if found is None or run_id is None:
        raise _bad_cursor()
    try:
        return Position(datetime.fromisoformat(found[1]), run_id)
    except ValueError:
        raise _bad_cursor() from None


def _bad_cursor() -> InvalidRequest:
    return invalid("cursor", "should be the cursor of the page before, unchanged (percent-encoded in an address)")
