"""What a handler's docstring says about it and, in the `Args:` section of Google's style, about its parameters."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

_SECTION = re.compile(r"^(Args|Arguments|Parameters|Returns|Raises|Yields|Note|Notes|Example|Examples):\s*$", re.MULTILINE)
_ARGUMENTS = re.compile(r"^(?:Args|Arguments|Parameters):\s*\n((?:[ \t]+.*\n?|\s*\n)*)", re.MULTILINE)
_ENTRY = re.compile(r"^\*{0,2}(\w+)\s*(?:\([^)]*\))?:\s*(.*)")


def description(fn: Callable[..., Any]) -> str:
    """Return the docstring up to its first section; empty without one."""
    return _SECTION.split(inspect.getdoc(fn) or "", maxsplit=1)[0].strip()


def parameters(fn: Callable[..., Any]) -> dict[str, str]:
    """Return what the `Args:` section says, by parameter; empty without one."""
    section = _ARGUMENTS.search(inspect.getdoc(fn) or "")
    return dict(_entries(inspect.cleandoc("\n" + section[1]).splitlines())) if section else {}


def _entries(lines: list[str]) -> Iterator[tuple[str, str]]:
    name, words = "", list[str]()
    for line in lines:
        entry = _ENTRY.match(line)
        if entry is None:
            words.append(line.strip())
            continue
        if name:
            yield name, " ".join(words).strip()
        name, words = entry[1], [entry[2]]
    if name:
        yield name, " ".join(words).strip()
