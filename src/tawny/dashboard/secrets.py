"""Params that are secret: shown as dots, wherever they appear."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from tawny.jobs import Job

DOTS: Final = "••••••••"

_NAMES: Final = re.compile(r"passw|secret|token|api_?key|private_?key|credential|authorization", re.IGNORECASE)


def is_secret(name: str, schema: Mapping[str, Any] | None = None) -> bool:
    """Whether a value is not to be shown: its name says so, or its type (`SecretStr`)."""
    said = schema or {}
    options = [said, *said.get("anyOf", ())]
    return bool(_NAMES.search(name)) or any(option.get("writeOnly") or option.get("format") == "password" for option in options)


def masked(params: Mapping[str, Any] | None, job: Job | None) -> dict[str, Any] | None:
    """The params for people to see. What is null or empty is no secret."""
    if params is None:
        return None
    schemas = job.params.json_schema().get("properties", {}) if job else {}
    return {name: DOTS if value and is_secret(name, schemas.get(name)) else _inside(value) for name, value in params.items()}


def shown(params: Mapping[str, Any]) -> dict[str, Any]:
    """The params in which nothing is secret: what can stand in a form that will be sent again."""
    dotted = masked(params, None) or {}
    return {name: value for name, value in params.items() if dotted[name] == value}


def _inside(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: DOTS if inner and is_secret(name) else _inside(inner) for name, inner in value.items()}
    return [_inside(inner) for inner in value] if isinstance(value, list) else value
