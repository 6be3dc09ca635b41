"""What the past is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tawny.api import parameters
from tawny.jobs import LEVELS

LINES_DEFAULT: Final = 200
LINES_MAX: Final = 1_000
SEQ_MAX: Final = 2**31 - 1
LINES_KNOWN: Final = frozenset({"after", "before", "level", "limit", "search"})
STATS_KNOWN: Final = frozenset({"project_id", "job_type"})


@dataclass(frozen=True, slots=True)
class AskedLines:
    """Which lines of a log were asked for."""

    after: int
    before: int | None
    level: int
    limit: int
    search: str


def parse_lines(query_string: bytes) -> AskedLines:
    """Read the parameters of a log, by the rules of a list."""
    given = parameters.read(query_string, LINES_KNOWN)
    if "before" in given and "after" in given:
        raise parameters.invalid("before", "and after cannot both be given")
    return AskedLines(
        before=parameters.number(given, "before", default=0, least=1, most=SEQ_MAX) if "before" in given else None,
        search=parameters.text(given, "search"),
        after=parameters.number(given, "after", default=0, least=0, most=SEQ_MAX),
        level=LEVELS[parameters.word(given, "level", LEVELS) or "debug"],
        limit=parameters.number(given, "limit", default=LINES_DEFAULT, least=1, most=LINES_MAX),
    )


@dataclass(frozen=True, slots=True)
class AskedStats:
    """Of which runs the stats were asked for."""

    project_id: UUID | None
    job_type: str | None


def parse_stats(query_string: bytes) -> AskedStats:
    """Read the parameters of stats, by the rules of a list."""
    given = parameters.read(query_string, STATS_KNOWN)
    return AskedStats(parameters.project_id(given), parameters.job_type(given))
