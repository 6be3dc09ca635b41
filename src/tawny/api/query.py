"""The parameters of a list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, cast

from tawny.api import parameters
from tawny.api.parameters import LIMIT_DEFAULT, LIMIT_MAX
from tawny.runs import STATUSES, Filter, Position, Status

KNOWN: Final = frozenset({"job_type", "status", "project_id", "since", "until", "fingerprint", "search", "limit", "cursor"})


@dataclass(frozen=True, slots=True)
class Asked:
    """What a list was asked for."""

    where: Filter
    limit: int
    search: str = ""


_EVERYTHING: Final = Asked(Filter(), LIMIT_DEFAULT)


def parse_query(query_string: bytes, now: datetime | None = None) -> Asked:
    """Read the parameters of a list. Unknown ones are ignored, as everywhere on the web; a known one that is empty, repeated or
    malformed is InvalidRequest naming it."""
    if not query_string:
        return _EVERYTHING
    given = parameters.read(query_string, KNOWN)
    now = now or datetime.now(UTC)
    after = parameters.position(given)
    where = Filter(
        job_type=parameters.job_type(given),
        status=cast("Status | None", parameters.word(given, "status", STATUSES)),
        project_id=parameters.project_id(given),
        since=parameters.time(given, "since", now),
        until=parameters.time(given, "until", now),
        fingerprint=parameters.fingerprint(given),
        after=Position(*after) if after else None,
    )
    return Asked(
        where, parameters.number(given, "limit", default=LIMIT_DEFAULT, least=1, most=LIMIT_MAX), parameters.text(given, "search")
    )
