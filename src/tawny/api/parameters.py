"""Parameters in an address, one by one. Each that is wrong is InvalidRequest naming it."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl
from uuid import UUID

from tawny.api.times import parse_time
from tawny.api.uuids import parse_uuid
from tawny.errors import InvalidRequest

JOB_TYPE: Final = re.compile(r"[a-z0-9_.-]{1,64}", re.ASCII)
FINGERPRINT: Final = re.compile(r"[a-z0-9_.-]{1,64}:[0-9a-f]{16}", re.ASCII)

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 200
TEXT_LIMIT: Final = 200

_CURSOR: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)\|([0-9a-f-]{36})", re.ASCII)
_NUMBER: Final = re.compile(r"\d{1,10}", re.ASCII)
_PARAMETERS_AT_MOST: Final = 100

Given = Mapping[str, str]
"""The known parameters of a request, by name."""


def read(query_string: bytes, known: Container[str]) -> Given:
    """The known parameters; others are ignored, as everywhere on the web. InvalidRequest for one that is empty or repeated."""
    found: dict[str, str] = {}
    for name, value in _pairs(query_string):
        if name not in known:
            continue
        if name in found:
            raise InvalidRequest(f"The parameter {name} is given more than once.", code="repeated_parameter", parameter=name)
        if not value:
            raise invalid(name, "is empty; leave it out instead")
        found[name] = value
    return found


def _pairs(query_string: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_PARAMETERS_AT_MOST
        )
    except ValueError:  # also what cannot be decoded
        raise InvalidRequest("The query cannot be read: encode it as UTF-8 with percent signs.", code="invalid_query") from None


def invalid(name: str, sentence: str) -> InvalidRequest:
    if name == "cursor":
        return InvalidRequest(f"The parameter cursor {sentence}.", code="invalid_cursor", parameter=name)
    return InvalidRequest(f"The parameter {name} {sentence}.", code="invalid_parameter", parameter=name)


def job_type(given: Given) -> str | None:
    text = given.get("job_type")
    if text is not None and not JOB_TYPE.fullmatch(text):
        raise invalid("job_type", "is not the name of a job type (1 to 64 of a-z, 0-9, _ . -)")
    return text


def project_id(given: Given) -> UUID | None:
    return uuid(given, "project_id", "a project")


def fingerprint(given: Given) -> str | None:
    text = given.get("fingerprint")
    if text is not None and not FINGERPRINT.fullmatch(text):
        raise invalid("fingerprint", "should be one of `GET /v1/teams/{team_id}/jobs/errors`, unchanged")
    return text


def uuid(given: Given, name: str, of: str) -> UUID | None:
    text = given.get(name)
    if text is None:
        return None
    found = parse_uuid(text)
    if found is None:
        raise invalid(name, f"should be the UUID of {of}")
    return found


def position(given: Given) -> tuple[datetime, UUID] | None:
    """The time and the id in a cursor."""
    text = given.get("cursor")
    if text is None:
        return None
    found = _CURSOR.fullmatch(text)
    last_id = parse_uuid(found[2]) if found else None
    try:
        if found and last_id:
            return datetime.fromisoformat(found[1]), last_id
    except ValueError:
        pass
    raise invalid("cursor", "should be the cursor of the page before, unchanged (percent-encoded in an address)")


def word(given: Given, name: str, words: Iterable[str]) -> str | None:
    """One of a few words."""
    text = given.get(name)
    if text is not None and text not in words:
        raise invalid(name, f"should be one of {', '.join(words)}")
    return text


def text(given: Given, name: str) -> str:
    """What to search for; empty unless given."""
    found = given.get(name, "")
    if len(found) > TEXT_LIMIT or "\0" in found:
        raise invalid(name, f"should have at most {TEXT_LIMIT} characters, and no NUL among them")
    return found


def time(given: Given, name: str, now: datetime) -> datetime | None:
    text = given.get(name)
    if text is None:
        return None
    try:
        return parse_time(text, now)
    except ValueError as error:
        raise invalid(name, str(error)) from None


def number(given: Given, name: str, *, default: int, least: int, most: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
        raise invalid(name, f"should be a whole number from {least} to {most}")
    return int(text)
