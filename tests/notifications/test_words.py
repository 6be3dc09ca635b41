"""What jobs and teams wrote is made fit to be shown."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tawny.notifications import words

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=400)


def invisible(text: str, *, but: str = "") -> list[str]:
    return [c for c in text if c not in but and unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}]


@given(ANY_TEXT, st.integers(1, 80))
def test_a_line_is_one_line_of_what_can_be_seen(text: str, limit: int) -> None:
    shown = words.line(text, limit)
    assert len(shown) <= limit
    assert invisible(shown) == []


@given(ANY_TEXT, st.integers(1, 80))
def test_lines_are_lines_of_what_can_be_seen(text: str, limit: int) -> None:
    shown = words.lines(text, limit)
    assert len(shown) <= limit
    assert invisible(shown, but="\n") == []


def test_what_can_be_seen_stays() -> None:
    assert words.line("Grüße, 漢字 👍 <b>&amp;</b>", 80) == "Grüße, 漢字 👍 <b>&amp;</b>"
    assert words.lines("one\r\n  two\n\nthree", 80) == "one\n  two\n\nthree"
    assert words.line("x\r\nBcc: eve@example.com", 80) == "x Bcc: eve@example.com"


def test_what_is_too_long_is_cut_with_a_mark() -> None:
    assert words.line("x" * 100, 10) == "x" * 9 + "…"
    assert words.lines("x\n" * 10**6, 5) == "x\nx…"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (0.42, "0.4 s"),
        (9.99, "10.0 s"),
        (12.4, "12 s"),
        (60, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (11_040, "3 h 4 min"),
        (183_600, "2 d 3 h"),
    ],
)
def test_a_duration_is_said_in_its_two_largest_units(seconds: float, said: str) -> None:
    assert words.duration(seconds) == said


@pytest.mark.parametrize(
    ("progress", "said"),
    [
        ({"processed": 1200, "total": 3000}, "1,200 of 3,000 (40 %)"),
        ({"processed": 7, "total": 0}, "7"),
        ({"processed": 7}, "7"),
        ({"processed": 0, "total": 9}, "0 of 9 (0 %)"),
    ],
)
def test_progress_is_said_with_its_share(progress: dict[str, int], said: str) -> None:
    assert words.progress(progress) == said
