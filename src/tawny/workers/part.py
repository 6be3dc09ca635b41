"""How much of what attempts have to store goes into one statement."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tawny.jobs import Reported
from tawny.runs import Flushed
from tawny.workers.attempt import Attempt, progress_json
from tawny.workers.log_buffer import Batch

LINES: Final = 2_000
"""Log lines in one statement. A line has at most 14 KB; a statement of them all takes less than its time."""


@dataclass(frozen=True, slots=True)
class Part:
    """What is stored of one attempt."""

    attempt: Attempt
    progress: Reported | None
    logs: Batch

    @property
    def flushed(self) -> Flushed:
        return Flushed(
            self.attempt.held,
            None if self.progress is None else progress_json(self.progress),
            logs=self.logs.lines,
            lines=self.logs.count,
            bytes=self.logs.size,
            dropped=self.logs.dropped,
        )

    def stored(self) -> None:
        """Tell the attempt that it is."""
        if self.progress is not None:
            self.attempt.progress_stored(self.progress)
        self.attempt.logs.stored(self.logs)


def take_part(attempts: Iterable[Attempt]) -> list[Part]:
    """Return the part of each attempt that has something to store: its progress, and the oldest log lines while there is room."""
    parts: list[Part] = []
    room = LINES
    for attempt in attempts:
        progress, has_lines = attempt.unstored_progress(), attempt.logs.unstored
        if progress is None and not (has_lines and room):
            continue
        parts.append(Part(attempt, progress, attempt.logs.next(room)))
        room -= len(parts[-1].logs.lines)
    return parts
