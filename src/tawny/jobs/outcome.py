"""What authors' code hands over, as JSON text that the database takes: results, checkpoints and params. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Any, ClassVar, Final
from uuid import UUID

from pydantic_core import to_jsonable_python

from tawny.errors import TawnyError
from tawny.jobs.text import clean_json, clean_text

LIMIT: Final = 1024 * 1024
"""Bytes of JSON (UTF-8) that a result, a checkpoint or params may take."""

DEPTH: Final = 100
"""How deep any of them may be nested: PostgreSQL and its readers have a limit, and not the same one."""


class ResultError(TawnyError):
    """What a handler returned cannot be stored as its result."""

    code: ClassVar[str] = "result_not_serialisable"


def encode_result(value: object) -> str | None:
    """Return a handler's result as JSON text, or None for None.

    Lone surrogates and NUL, which PostgreSQL cannot store, become U+FFFD. Raises ResultError, with one sentence for the author,
    for what is not a dict, not JSON (NaN, bytes, a cycle, a date), nested deeper than 100 or larger than 1 MiB.
    """
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ResultError(f"The handler returned {_a(value)}; return a dict or None.")
    try:
        return _encode(value, "result")
    except ValueError as error:
        raise ResultError(str(error)) from None


def encode_state(value: object) -> str:
    """Return a checkpoint's state, any JSON value, as JSON text; ValueError by the rules of `encode_result`."""
    return _encode(value, "checkpoint")


def encode_params(params: Mapping[str, Any]) -> str:
    """Return the params of a trigger as JSON text: dates, ids, models and the like as pydantic writes them.

    ValueError by the rules of `encode_result` for anything else.
    """
    try:
        plain = to_jsonable_python(dict(params))
    except ValueError as error:
        raise ValueError(clean_text(f"The params object is not JSON: {clean_text(error, 300)}.", 500)) from None
    return _encode(plain, "params object")


def _encode(value: object, what: str) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
    except Exception as error:  # also whatever an author's own dict or __str__ raises
        raise ValueError(_why(value, what, error)) from None
    text = clean_json(text)
    if len(text.encode()) > LIMIT:
        raise ValueError(f"The {what} is larger than 1 MiB; keep large data elsewhere and its address here.")
    if text.count("[") + text.count("{") > DEPTH and _is_deeper(value, DEPTH):
        raise ValueError(f"The {what} is nested deeper than {DEPTH} levels.")
    return text


def _plain(value: object) -> object:
    """What a Run itself hands out must not be what fails its result: ids, and the read-only params."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, MappingProxyType):
        return dict(value)
    raise TypeError


def _children(value: object) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict | MappingProxyType):
        yield from ((f".{key}", child) for key, child in value.items())
    elif isinstance(value, list | tuple):
        yield from ((f"[{index}]", child) for index, child in enumerate(value))


def _is_deeper(value: object, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        level = [child for parent in level for _, child in _children(parent)]
    return any(isinstance(value, dict | MappingProxyType | list | tuple) for value in level)


def _why(value: object, what: str, error: Exception) -> str:
    try:
        found = next(_misfits(value, what), None)
    except Exception:
        found = None
    if found is not None:
        return clean_text(f"JSON cannot hold {found}; convert it first.", 500)
    if isinstance(error, RecursionError) or "Circular" in str(error):
        return f"The {what} contains itself or is nested too deep."
    return clean_text(f"The {what} is not JSON: {clean_text(error, 300)}.", 500)


def _misfits(value: object, path: str) -> Iterator[str]:
    """Name what JSON cannot hold, the shallowest first."""
    level = [(path, value)]
    for _ in range(DEPTH):
        for at, child in level:
            yield from _misfit(child, at)
        level = list(islice(((f"{at}{step}", child) for at, parent in level for step, child in _children(parent)), 10_000))


def _misfit(value: object, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str | int | float | bool | None):
                yield f"{_a(key)} as a key of `{path}`"
    elif isinstance(value, float):
        if value - value != 0:
            yield f"{value} in `{path}`"
    elif not isinstance(value, str | int | None | list | tuple | UUID | MappingProxyType):
        yield f"{_a(value)} in `{path}`"


def _a(value: object) -> str:
    name = type(value).__name__
    return f"an {name}" if name[:1].lower() in "aeiou" else f"a {name}"
