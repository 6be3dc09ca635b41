"""Whatever text comes out of a job can be stored, shown, mailed and logged."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tawny.jobs import clean_text

ANY_TEXT = st.text(st.characters(exclude_categories=()))
UNSAFE = {*map(chr, range(32)), *map(chr, range(0x7F, 0xA0)), *map(chr, range(0xD800, 0xE000)), *"\u202a\u202e\u2066\u2069"}


class Raises:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __str__(self) -> str:
        raise self.error


class Pretends(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise ValueError

    def __getitem__(self, _: Any) -> str:
        raise ValueError


@given(ANY_TEXT, st.integers(0, 50))
def test_any_text_can_be_stored_within_its_limit(text: str, limit: int) -> None:
    cleaned = clean_text(text, limit)
    assert len(cleaned.encode()) <= limit
    assert not set(cleaned) & UNSAFE - {"\n", "\t"}


@given(ANY_TEXT)
def test_cleaning_again_changes_nothing(text: str) -> None:
    assert clean_text(clean_text(text)) == clean_text(text)


@given(st.text(st.characters(exclude_categories=["C"])))
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert clean_text(text) == text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\x00b\ud800c\udfffd", "a\ufffdb\ufffdc\ufffdd"),
        ("\x1b[31mred\x1b[0m\x9b1m", "\ufffd[31mred\ufffd[0m\ufffd1m"),
        ("line\r\nline\rline\n\tline", "line\nline\nline\n\tline"),
        ("Subject: x\r\nBcc: all@example.org", "Subject: x\nBcc: all@example.org"),
        ("\u202etxt.exe", "\ufffdtxt.exe"),
        ("שלום 你好 🦉 é", "שלום 你好 🦉 é"),
        (b"\xff", "b'\\xff'"),
        (None, "None"),
        (ValueError("no\x00"), "no\ufffd"),
        (ValueError(), ""),
    ],
)
def test_what_each_kind_becomes(text: object, cleaned: str) -> None:
    assert clean_text(text) == cleaned


def test_a_long_text_is_cut_with_a_mark_at_10_kb() -> None:
    cut = clean_text("é" * 10_000_000)
    assert cut.endswith("é… (cut)")
    assert 10_238 <= len(cut.encode()) <= 10_240


def test_a_text_that_just_fits_is_not_cut() -> None:
    assert clean_text("x" * 10_240) == "x" * 10_240
    assert clean_text("\r\n" * 10_240) == "\n" * 10_240
    assert clean_text("x" * 10_241).endswith("x… (cut)")
    assert clean_text("\r\n" * 10_241).endswith("\n… (cut)")


@pytest.mark.parametrize("error", [ValueError(), RecursionError(), SystemExit(), KeyboardInterrupt(), BaseException()])
def test_a_text_that_raises_is_survived(error: BaseException) -> None:
    assert clean_text(Raises(error)) == "(Raises without a readable text)"


def test_a_text_that_pretends_is_read_all_the_same() -> None:
    assert clean_text(Pretends("plain")) == "plain"
