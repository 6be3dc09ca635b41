"""The parameters of a list."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl
from uuid import UUID

from tawny.api.times import parse_time
from tawny.api.uuids import parse_uuid
from tawny.errors import InvalidRequest
from tawny.runs import STATUSES, Filter, Position, Status

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 200
KNOWN: Final = frozenset({"job_type", "status", "project_id", "since", "until", "limit", "cursor"})
JOB_TYPE: Final = re.compile(r"[a-z0-9_.-]{1,64}", re.ASCII)

_NUMBER: Final = re.compile(r"\d{1,3}", re.ASCII)
_CURSOR: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)\|([0-9a-f-]{36})", re.ASCII)
_PARAMETERS_AT_MOST: Final = 100


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
    given = _given(query_string)
    now = now or datetime.now(UTC)
    where = Filter(
        job_type=_job_type(given),
        status=_status(given),
        project_id=_project_id(given),
        since=_time(given, "since", now),
        until=_time(given, "until", now),
        after=_position(given),
    )
    return Asked(where, _limit(given))


def _given(query_string: bytes) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in _pairs(query_string):
        if name not in KNOWN:
            continue
        if name in given:
            raise InvalidRequest(f"The parameter {name} is given more than once.", code="repeated_parameter", parameter=name)
        if not value:
            raise _invalid(name, "is empty; leave it out instead")
        given[name] = value
    return given


def _pairs(query_string: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_PARAMETERS_AT_MOST
        )
    except ValueError:  # also what cannot be decoded
        raise InvalidRequest("The query cannot be read: encode it as UTF-8 with percent signs.", code="invalid_query") from None


def _invalid(name: str, sentence: str) -> InvalidRequest:
    code = "invalid_cursor" if name == "cursor" else "invalid_parameter"
    return InvalidRequest(f"The parameter {name} {sentence}.", code=code, parameter=name)


def _job_type(given: Mapping[str, str]) -> str | None:
    text = given.get("job_type")
    if text is not None and not JOB_TYPE.fullmatch(text):
        raise _invalid("job_type", "is not the name of a job type (1 to 64 of a-z, 0-9, _ . -)")
    return text


def _status(given: Mapping[str, str]) -> Status | None:
    text = given.get("status")
    if text is not None and text not in STATUSES:
        raise _invalid("status", f"should be one of {', '.join(STATUSES)}")
    return text


def _project_id(given: Mapping[str, str]) -> UUID | None:
    text = given.get("project_id")
    if text is None:
        return None
    project_id = parse_uuid(text)
    if project_id is None:
        raise _invalid("project_id", "should be the UUID of a project")
    return project_id


def _time(given: Mapping[str, str], name: str, now: datetime) -> datetime | None:
    text = given.get(name)
    if text is None:
        return None
    try:
        return parse_time(text, now)
    except ValueError as error:
        raise _invalid(name, str(error)) from None


def _limit(given: Mapping[str, str]) -> int:
    text = given.get("limit")
    if text is None:
        return LIMIT_DEFAULT
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= LIMIT_MAX:
        raise _invalid("limit", f"should be a whole number from 1 to {LIMIT_MAX}")
    return int(text)


def _position(given: Mapping[str, str]) -> Position | None:
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
    return _invalid("cursor", "should be the cursor of the page before, unchanged (percent-encoded in an address)")
