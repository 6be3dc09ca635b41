"""What a handler logs is kept, whatever it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.jobs.fake_port import FakePort, make_run

from tawny import LeaseLost
from tawny.jobs.log import FIELDS_LIMIT, encode_fields


def test_each_level_has_its_number() -> None:
    port = FakePort()
    log = make_run(port).log
    log.debug("a")
    log.info("b")
    log.warning("c")
    log.error("d")
    assert port.logged == [(10, "a", None), (20, "b", None), (30, "c", None), (40, "d", None)]


def test_fields_are_kept_as_json_and_may_have_any_name() -> None:
    port = FakePort()
    make_run(port).log.info("Exported", rows=20, text="shadowed", self=None)
    ((_, message, fields),) = port.logged
    assert (message, json.loads(fields or "")) == ("Exported", {"rows": 20, "text": "shadowed", "self": None})


def test_a_text_is_cleaned_and_cut() -> None:
    port = FakePort()
    make_run(port).log.info("nul \0 and \ud800" + "x" * 20_000)
    ((_, message, _),) = port.logged
    assert message.startswith("nul \ufffd and \ufffd")
    assert len(message.encode()) <= 10_240


class Unreadable:
    def __repr__(self) -> str:
        raise SystemExit

    __str__ = __repr__


CYCLE: list[Any] = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize(
    "value",
    [
        object(),
        float("nan"),
        CYCLE,
        Unreadable(),
        b"\x00",
        {1: 2, (1, 2): 3},
        10**5000,
        "\ud800\0",
        "x" * 10**6,
        {"a": "\\u0000"},
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_a_field_holds_it_becomes_json_that_fits(value: object) -> None:
    text = encode_fields({"value": value, "fine": 1})
    assert isinstance(json.loads(text), dict)
    assert len(text.encode()) <= FIELDS_LIMIT
    assert "\0" not in text


def test_a_text_without_words_is_logged_all_the_same() -> None:
    port = FakePort()
    make_run(port).log.info(Unreadable())
    assert "Unreadable" in port.logged[0][1]


@given(
    st.dictionaries(st.text(max_size=20), st.recursive(st.none() | st.floats() | st.text(), st.lists, max_leaves=20), max_size=30)
)
@pytest.mark.slow
def test_fields_never_take_more_than_they_may(fields: dict[str, object]) -> None:
    assert len(encode_fields(fields).encode()) <= FIELDS_LIMIT


def test_a_lost_lease_is_told_here_as_well() -> None:
    with pytest.raises(LeaseLost):
        make_run(FakePort(lease_lost=True)).log.info("too late")
