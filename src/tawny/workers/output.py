"""What the process of an attempt prints, as lines of its log."""

from __future__ import annotations

import json
from typing import IO, Final

from tawny.jobs import clean_text
from tawny.jobs.text import LIMIT
from tawny.workers.log_buffer import LogBuffer

_CHUNK: Final = 64 * 1024


class Output:
    """Reads one stream, as far as it goes without waiting, into a log. Empty lines are left out; a line is cut at 10 KB."""

    def __init__(self, pipe: IO[bytes], stream: str, level: int, logs: LogBuffer) -> None:
        self._pipe = pipe
        self._fields = json.dumps({"stream": stream})
        self._level = level
        self._logs = logs
        self._line = b""
        self._is_cut = False

    def fileno(self) -> int:
        return self._pipe.fileno()

    def read(self) -> bool:
        """Take the next bytes that are there. False where there are none."""
        chunk = self._pipe.read(_CHUNK)
        if chunk:
            self._take(chunk)
        return bool(chunk)

    def end(self) -> None:
        """Take the last line, which nothing has ended."""
        self._add(self._line)
        self._line = b""

    def _take(self, chunk: bytes) -> None:
        if self._logs.full:  # whoever prints without end must not keep this process busy
            return self._logs.drop(chunk.count(b"\n"))
        if self._is_cut:
            _, ended, chunk = chunk.partition(b"\n")
            self._is_cut = not ended
        *lines, self._line = (self._line + chunk).split(b"\n")
        for line in lines:
            self._add(line)
        if len(self._line) > LIMIT:
            self.end()
            self._is_cut = True
        return None

    def _add(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip()  # a traceback is read by its indentation
        if text:
            self._logs.add(self._level, clean_text(text), self._fields)
