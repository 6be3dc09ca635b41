"""Templates. What they show is text, whatever is in it, unless a macro of ours made it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from time import time
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tawny import __version__
from tawny.dashboard import words
from tawny.dashboard.static import assets

_templates: Final = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    auto_reload=False,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= words.FILTERS
_templates.globals |= {"version": __version__, "statuses": words.STATUSES}


def render(template: str, values: Mapping[str, Any]) -> str:
    """The template with these values."""
    return _templates.get_template(template).render(values)


def _asset(root: str, name: str) -> str:
    return f"{root}/static/{assets()[name].version}/{name}"


def _now_ms() -> int:
    return int(time() * 1000)


_templates.globals |= {"asset": _asset, "now_ms": _now_ms}
