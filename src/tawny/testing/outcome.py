"""What a test sees of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Progress:
    """One report of a handler, as it would have been stored: held to the total, cleaned. A total of 0 is not known."""

    processed: int
    total: int
    message: str | None


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the run's log."""

    level: Literal["debug", "info", "warning", "error"]
    message: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt of a run ended.

    `status` is that of the run: `completed`, `failed`, `cancelled`, or `retrying` where a server would try again, in `delay`
    seconds. `result` is what the handler returned after its way through JSON; `error` is the sentence that people would see,
    `code` the word for programs (`handler_failed`, `timeout`, `result_not_serialisable`, …), `traceback` what the timeline would
    show. `checkpoint` is the state saved last, the given one where none was saved.
    """

    status: Literal["completed", "failed", "cancelled", "retrying"]
    result: dict[str, Any] | None = None
    error: str | None = None
    code: str | None = None
    traceback: str | None = None
    delay: float | None = None
    checkpoint: Any = None
    progress: tuple[Progress, ...] = ()
    logs: tuple[LogLine, ...] = ()
