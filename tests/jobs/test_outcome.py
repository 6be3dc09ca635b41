"""A result is stored as JSON, or fails with one sentence for its author."""

from __future__ import annotations

import datetime as dt
import enum
import json
import re
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tawny import TawnyError
from tawny.jobs import ResultError, encode_result
from tawny.jobs.outcome import encode_state

ANY_TEXT = st.text(st.characters(exclude_categories=()))
JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner),
    max_leaves=30,
)


class Level(enum.IntEnum):
    LOW = 1


class BreaksWhenRead(dict[str, Any]):
    def items(self) -> Any:
        raise ZeroDivisionError


def storable(value: Any) -> Any:
    """The same value with what PostgreSQL cannot store replaced."""
    if isinstance(value, str):
        return re.sub("[\x00\ud800-\udfff]", "\ufffd", value)
    if isinstance(value, list):
        return [storable(child) for child in value]
    if isinstance(value, dict):
        return {storable(key): storable(child) for key, child in value.items()}
    return value


@pytest.mark.slow
@given(st.dictionaries(ANY_TEXT, JSON_LIKE))
def test_any_json_is_stored_as_it_is_but_for_what_cannot_be(value: dict[str, Any]) -> None:
    text = encode_result(value)
    assert text is not None
    assert text.encode()
    assert json.loads(text) == storable(value)


@given(JSON_LIKE)
def test_any_json_can_be_a_checkpoint(value: Any) -> None:
    assert json.loads(encode_state(value)) == storable(value)


@pytest.mark.parametrize("text", ["\x00", "\\\x00", "\\u0000", "\\\\u0000", "\\\\\x00", "\x00\x00", "\\" * 9 + "\x00"])
def test_nul_is_replaced_and_what_only_looks_like_it_is_not(text: str) -> None:
    assert json.loads(encode_state(text)) == text.replace("\x00", "\ufffd")


def test_no_result_is_none_and_not_an_empty_object() -> None:
    assert encode_result(None) is None
    assert encode_result({}) == "{}"


def test_text_is_kept_readable() -> None:
    assert encode_result({"é": "🦉"}) == '{"é": "🦉"}'


def test_what_a_run_hands_out_may_be_a_result() -> None:
    run_id = UUID("0190a6e0-0000-7000-8000-000000000001")
    assert encode_result({"id": run_id, "params": MappingProxyType({"of": [run_id]})}) == (
        f'{{"id": "{run_id}", "params": {{"of": ["{run_id}"]}}}}'
    )


def test_what_json_takes_for_its_own_is_taken() -> None:
    assert encode_result({"level": Level.LOW, "pair": (1, 2), 3: None}) == '{"level": 1, "pair": [1, 2], "3": null}'


def cyclic() -> dict[str, Any]:
    value: dict[str, Any] = {"a": []}
    value["a"].append(value)
    return value


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ([1], "The handler returned a list; return a dict or None."),
        ("done", "The handler returned a str; return a dict or None."),
        (0, "The handler returned an int; return a dict or None."),
        ({"a": b"x"}, "JSON cannot hold a bytes in `result.a`; convert it first."),
        ({"a": {1, 2}}, "JSON cannot hold a set in `result.a`; convert it first."),
        ({"rows": [{}, {"at": dt.date(2026, 1, 1)}]}, "JSON cannot hold a date in `result.rows[1].at`; convert it first."),
        ({"a": float("nan")}, "JSON cannot hold nan in `result.a`; convert it first."),
        ({"a": [1, float("-inf")]}, "JSON cannot hold -inf in `result.a[1]`; convert it first."),
        ({"a": {(1, 2): 3}}, "JSON cannot hold a tuple as a key of `result.a`; convert it first."),
        (cyclic(), "The result contains itself or is nested too deep."),
        (nested(100_000), "The result contains itself or is nested too deep."),
        (nested(101), "The result is nested deeper than 100 levels."),
        ({"a": "x" * 5_000_000}, "The result is larger than 1 MiB; keep large data elsewhere and its address here."),
        ({"a": "é" * 524_288}, "The result is larger than 1 MiB; keep large data elsewhere and its address here."),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, str) else type(value).__name__,
)
def test_what_is_not_a_result_says_why(value: Any, sentence: str) -> None:
    with pytest.raises(ResultError) as refusal:
        encode_result(value)
    assert str(refusal.value) == sentence
    assert refusal.value.code == "result_not_serialisable"
    assert isinstance(refusal.value, TawnyError)


@pytest.mark.parametrize("value", [BreaksWhenRead(a=1), {"a": 10**5000}, {float("nan"): 1}], ids=["dict", "number", "key"])
def test_whatever_goes_wrong_is_one_error_of_one_sentence(value: Any) -> None:
    with pytest.raises(ResultError) as refusal:
        encode_result(value)
    assert "\n" not in str(refusal.value)


def test_the_largest_and_the_deepest_are_stored() -> None:
    assert len(encode_result({"a": "x" * (1024 * 1024 - 9)}) or "") == 1024 * 1024
    assert encode_result(nested(100))
    assert encode_result({"flat": [[] for _ in range(1000)]})
