"""The reference says what the code says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from reference import PAGES

import tawny
from tawny.db.queries import Query
from tawny.runs import EVENT_KINDS, FAILURE_CODES, OUTCOMES
from tawny.runs.statements import queries

SOURCE = Path(tawny.__file__).parent
REFERENCE = Path(__file__).parents[2] / "docs" / "reference"

_BUILT = re.compile(r"jsonb_build_object\((?:[^()]|\([^()]*\))*\)")
_TEXT = re.compile(r"'(\w+)'")
_FIELD = re.compile(r"'(\w+)',")


@pytest.mark.parametrize("name", PAGES)
def test_each_page_is_what_the_code_says(name: str) -> None:
    assert (REFERENCE / name).read_text() == PAGES[name](), "run scripts/reference"


def test_every_page_of_the_reference_is_written_from_the_code() -> None:
    assert {path.name for path in REFERENCE.iterdir()} == set(PAGES)


# Events


def left_by(query: Query) -> Iterator[str]:
    """The parts of a statement that write events."""
    yield from re.findall(r"insert into run_events.*?(?=\n\)|;|\Z)", query.sql, re.DOTALL)


FACTS = [fact for query in queries.all.values() for fact in left_by(query)]


def test_every_kind_of_event_that_is_left_is_explained_and_no_other() -> None:
    kinds = {text for fact in FACTS for text in _TEXT.findall(_BUILT.sub("", fact))} - {"pending"}
    assert kinds | set(OUTCOMES) == set(EVENT_KINDS)


def test_every_field_of_an_events_data_is_explained_and_no_other() -> None:
    fields = {name for fact in FACTS for built in _BUILT.findall(fact) for name in _FIELD.findall(built)}
    assert fields == {name for kind in EVENT_KINDS.values() for name in kind.data}


# Codes of runs that failed


def test_every_code_that_a_run_fails_with_is_explained() -> None:
    given = {code for path in (SOURCE / "workers").glob("*.py") for code in _codes(ast.parse(path.read_text()))}
    assert {"handler_failed", "timeout"} <= given
    assert given <= set(FAILURE_CODES)


def _codes(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "code" and isinstance(node.value, ast.Constant):
            yield node.value.value
        if isinstance(node, ast.FunctionDef):
            named = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            yield from (d.value for arg, d in named if arg.arg == "code" and isinstance(d, ast.Constant))
