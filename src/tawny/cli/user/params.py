"""Params on the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer


def read_params(pairs: Sequence[str], source: str | None) -> dict[str, Any] | None:
    """The params that were given: an object in `--params`, and over it each `--param`. None when there are none.

    `k=v` is a text, which the server converts to what the job type declares; `k:=v` is JSON.
    """
    params = {} if source is None else _object(source)
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.removesuffix(":"):
            raise typer.BadParameter(f"{pair!r} should look like NAME=TEXT or NAME:=JSON.", param_hint="--param")
        params[name.removesuffix(":")] = _json(value, "--param", f"of {name}= ") if name.endswith(":") else value
    return params or None


def _object(source: str) -> dict[str, Any]:
    found = _json(text_of(source, "--params"), "--params", "")
    if not isinstance(found, dict):
        raise typer.BadParameter('it should be a JSON object, such as {"month": "2026-01"}.', param_hint="--params")
    return found


def _json(text: str, option: str, of: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"the value {of}is not JSON: {error}.", param_hint=option) from None


def text_of(source: str, option: str) -> str:
    """What `@FILE` or `-` (stdin) holds; any other text itself."""
    if source == "-":
        return sys.stdin.read()
    if not source.startswith("@"):
        return source
    try:
        return Path(source[1:]).read_text("utf-8")
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{source[1:]} cannot be read: {error}.", param_hint=option) from None
