"""What a handler writes into the log of its run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from tawny.jobs.port import Port
from tawny.jobs.text import clean_json, clean_text

LEVELS: Final[Mapping[str, int]] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
"""The levels by name, with the numbers that order and store them."""

FIELDS_LIMIT: Final = 4096
"""Bytes of JSON (UTF-8) that the fields of one line may take."""

_CUT: Final = FIELDS_LIMIT // 2  # quoted as a JSON text once more, it may double


class Log:
    """The log of a run: `run.log.info("Exported", rows=20)`.

    Lines are kept with the run and stored about once a second: of one run at most 10,000 lines and 1 MiB, over all its attempts;
    further ones are counted and dropped. A text is cut at 10 KB. `fields` are shown as JSON; what JSON cannot hold is shown as
    `repr` has it, and more than 4 KB are cut. Nothing that is logged can fail; only LeaseLost is raised, as everywhere.
    """

    def __init__(self, port: Port) -> None:
        self._port = port

    def debug(self, text: object, /, **fields: object) -> None:
        self._add("debug", text, fields)

    def info(self, text: object, /, **fields: object) -> None:
        self._add("info", text, fields)

    def warning(self, text: object, /, **fields: object) -> None:
        self._add("warning", text, fields)

    def error(self, text: object, /, **fields: object) -> None:
        self._add("error", text, fields)

    def _add(self, level: str, text: object, fields: Mapping[str, object]) -> None:
        self._port.check_lease()
        self._port.add_log_line(LEVELS[level], clean_text(text), encode_fields(fields) if fields else None)


def encode_fields(fields: Mapping[str, object]) -> str:
    """Return the fields of a line as JSON text that the database takes, of at most 4 KB. Never raises."""
    text = _as_json(fields)
    if len(text.encode()) <= FIELDS_LIMIT:
        return text
    return _as_json({"cut": clean_text(text, _CUT)})


def _as_json(fields: Mapping[str, object]) -> str:
    try:
        return clean_json(json.dumps(fields, ensure_ascii=False, allow_nan=False, default=_shown))
    except Exception:  # NaN, a cycle, a key that is no text, whatever an author's own dict raises
        return clean_json(json.dumps({name: _shown(value) for name, value in fields.items()}, ensure_ascii=False))


def _shown(value: object) -> str:
    try:
        return clean_text(repr(value), FIELDS_LIMIT)
    except BaseException:  # an author's __repr__ may raise anything
        return f"({type(value).__name__} without a readable form)"
