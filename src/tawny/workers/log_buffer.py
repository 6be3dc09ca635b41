"""The log lines of an attempt, between the handler that writes them and the flush that stores them."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from tawny.runs import Claimed, LogLine

LINES: Final = 10_000
BYTES: Final = 1024 * 1024
"""What is kept of one run, over all its attempts. Further lines are counted and dropped."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some lines, and the run's totals with them: lines, bytes, and how many were dropped so far."""

    lines: list[LogLine]
    count: int
    size: int
    dropped: int


class LogBuffer:
    """Takes lines from every thread of a handler, within the limits of the run, and keeps them until they are stored."""

    def __init__(self, claimed: Claimed) -> None:
        self._guard = threading.Lock()
        self._lines: deque[tuple[LogLine, int]] = deque()
        self._count, self._size, self._dropped = claimed.log_lines, claimed.log_bytes, claimed.logs_dropped
        self._stored = (self._count, self._size, self._dropped)

    def add(self, level: int, message: str, fields: str | None, logged_at: datetime | None = None) -> None:
        size = len(message.encode()) + len((fields or "").encode())
        with self._guard:
            if self._count >= LINES or self._size + size > BYTES:
                self._dropped += 1
                return
            self._count += 1
            self._size += size
            line = LogLine(self._count, level, message, fields, logged_at or datetime.now(UTC))
            self._lines.append((line, self._size))

    @property
    def full(self) -> bool:
        """Whether no further line is kept."""
        return self._count >= LINES or self._size >= BYTES

    def drop(self, lines: int) -> None:
        """Count lines that are not kept."""
        with self._guard:
            self._dropped += lines

    @property
    def unstored(self) -> bool:
        """Whether there is anything to store."""
        return bool(self._lines) or self._dropped != self._stored[2]

    def next(self, lines: int) -> Batch:
        """The oldest lines that are not stored yet, at most so many. They stay until `stored` is told of this batch."""
        with self._guard:
            taken = list(islice(self._lines, lines))
            count, size = (taken[-1][0].seq, taken[-1][1]) if taken else self._stored[:2]
            return Batch([line for line, _ in taken], count, size, self._dropped)

    def stored(self, batch: Batch) -> None:
        with self._guard:
            for _ in batch.lines:
                self._lines.popleft()
            self._stored = (batch.count, batch.size, batch.dropped)
