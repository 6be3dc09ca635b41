"""The page of errors: what the code refuses with, found by reading it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import tawny
from reference import markdown
from reference.markdown import code, table
from tawny.api import app  # noqa: F401  (imports every room that refuses something)
from tawny.errors import RequestError
from tawny.runs import FAILURE_CODES

SOURCE = Path(tawny.__file__).parent
NOT_ANSWERS = {"client", "cli"}
"""Rooms whose refusals no server answers with."""

_INTRODUCTION = """\
An answer that refuses something is JSON with `error`, a sentence for people, and `code`, a stable word for programs. Some have
further fields. `…` stands for what the sentence names, and `–` for one that depends on the case. Which statuses an operation can
answer with is in `/openapi.json`."""
_OF_RUNS = """\
## Of runs that failed

The `code` of an attempt in the timeline of its run."""

Refusal = tuple[int, str, str]
"""A status, a code and a sentence."""


def _with_kinds_of(kind: type[RequestError]) -> Iterator[type[RequestError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _with_kinds_of(narrower)


KINDS = {kind.__name__: kind for kind in _with_kinds_of(RequestError)}


def page() -> str:
    refusals = table(("status", "code", "sentence"), [(str(status), code(word), text) for status, word, text in _refusals()])
    failures = table(("code", "what happened"), [(code(word), text) for word, text in FAILURE_CODES.items()])
    return markdown.page("Errors", _INTRODUCTION, refusals, _OF_RUNS, failures)


def _refusals() -> Iterator[Refusal]:
    """Each code once, with every sentence that the code itself spells out."""
    found = sorted({refusal for path in _sources() for refusal in _refusals_in(path)})
    for (status, word), same in groupby(found, key=itemgetter(0, 1)):
        yield status, word, " ".join(text for _, _, text in same if re.search(r"\w", text)) or "–"


def _sources() -> Iterator[Path]:
    yield from (path for path in SOURCE.rglob("*.py") if path.relative_to(SOURCE).parts[0] not in NOT_ANSWERS)


def _refusals_in(path: Path) -> Iterator[Refusal]:
    for node in ast.walk(ast.parse(path.read_text())):
        kind = _kind(node)
        if kind is not None and isinstance(node, ast.Call) and node.args:
            yield kind.status, _code(node, kind), _text(node.args[0])


def _kind(node: ast.AST) -> type[RequestError] | None:
    name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
    return KINDS.get(name)


def _code(call: ast.Call, kind: type[RequestError]) -> str:
    said = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
    if not said:
        return kind.default_code
    if not isinstance(said[0], ast.Constant):
        raise TypeError(f"a code has to be a constant, so that it can be documented: {ast.unparse(call)}")
    return str(said[0].value)


def _text(sentence: ast.expr) -> str:
    if isinstance(sentence, ast.Constant):
        return str(sentence.value)
    if isinstance(sentence, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in sentence.values)
    return "…"
