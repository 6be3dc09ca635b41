"""What went wrong, in words for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tawny.api.errors import answer_to
from tawny.db.pool import BUSY, UNREACHABLE
from tawny.errors import RequestError


@dataclass(frozen=True, slots=True)
class Problem:
    """Why there is no page: a status, a heading and a sentence that says what to do."""

    status: int
    title: str
    sentence: str
    retry: bool = False
    """Whether the same request may do in a moment."""
    run_id: str | None = None
    """The run that is in the way."""


UNFORESEEN: Final = Problem(
    500, "Something went wrong on our side", "It was logged. Try again, or tell whoever runs this server."
)

_TITLES: Final = {
    400: "That cannot be done like this",
    401: "You are signed out",
    403: "Your role does not allow this",
    404: "There is nothing here",
    409: "That is under way already",
    413: "That is too large",
    429: "That was too often",
    503: "The database does not answer",
}


def problem_of(error: Exception) -> Problem | None:
    """The problem that this error is; None for one that nobody foresaw."""
    if isinstance(error, (*UNREACHABLE, *BUSY)):
        return Problem(
            503, _TITLES[503], "Nothing is lost: runs go on once it is back. This page tries again by itself.", retry=True
        )
    if not isinstance(error, RequestError):
        answer = answer_to(error)
        return None if answer is None else Problem(answer.status, _TITLES[400], "This request cannot be read.")
    return Problem(
        error.status,
        _TITLES.get(error.status, _TITLES[400]),
        error.message,
        retry=error.status == 503,
        run_id=error.details.get("existing_run_id"),
    )
