"""Progress: whole numbers, held to the total, never back, cheap, and stored whole."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.jobs.fake_port import FakePort, make_run

from tawny import LeaseLost
from tawny.jobs import Progress, as_stored
from tawny.jobs.progress import LARGEST, Template

NUMBERS = st.integers(0, LARGEST)


def reported(*calls: tuple[Any, ...]) -> dict[str, object]:
    port = FakePort()
    run = make_run(port)
    for call in calls:
        run.progress(*call)
    return port.reports[-1]


def test_a_report_is_stored_as_given() -> None:
    assert reported((3, 10, "three of ten")) == {"processed": 3, "total": 10, "message": "three of ten"}


def test_an_unknown_total_is_stored_as_0_and_no_message_as_none() -> None:
    assert reported((3,)) == {"processed": 3, "total": 0}


def test_more_than_the_total_is_the_total() -> None:
    assert reported((101, 100)) == {"processed": 100, "total": 100}


def test_less_than_before_is_what_was_before() -> None:
    assert reported((7, 10), (3, 10, "back?")) == {"processed": 7, "total": 10, "message": "back?"}


def test_a_total_stays_until_another_is_given() -> None:
    assert reported((1, 10), (2,)) == {"processed": 2, "total": 10}
    assert reported((1, 10), (2, 20)) == {"processed": 2, "total": 20}
    assert reported((1, 10), (2, 0)) == {"processed": 2, "total": 0}


def test_a_total_below_what_is_done_is_what_is_done() -> None:
    assert reported((7, 10), (1, 5)) == {"processed": 7, "total": 7}


def test_a_message_lasts_for_one_report() -> None:
    assert reported((1, 2, "one"), (2, 2)) == {"processed": 2, "total": 2}


class Whole:
    """Like the integers of numpy."""

    def __index__(self) -> int:
        return 4


def test_other_kinds_of_whole_numbers_are_taken() -> None:
    assert reported((Whole(), 8.0)) == {"processed": 4, "total": 8}


NOT_WHOLE = [-1, 1.5, float("nan"), float("inf"), "5", None, True, [], object(), 2**53, 10**5000, -(10**5000)]


@pytest.mark.parametrize("wrong", NOT_WHOLE, ids=lambda value: type(value).__name__)
def test_what_is_not_a_whole_number_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"^The processed of a progress must be .*\.$"):
        reported((wrong, 10))
    if wrong is not None:
        with pytest.raises(ValueError, match=r"^The total of a progress must be .*\.$"):
            reported((1, wrong))


@pytest.mark.parametrize("wrong", [5, b"bytes", ["a"]])
def test_a_message_that_is_not_text_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="must be text"):
        reported((1, 2, wrong))


def test_a_refused_report_changes_nothing() -> None:
    port = FakePort()
    make_run(port).progress(1, 2)
    with pytest.raises(ValueError, match="whole number"):
        make_run(port).progress(float("nan"), 2)  # type: ignore[arg-type]
    assert port.reports == [{"processed": 1, "total": 2}]


def test_a_message_is_cleaned_and_cut_when_it_is_stored() -> None:
    stored = reported((1, 2, "a\x00\x1b[31m\ud800" + "x" * 10_000_000))["message"]
    assert isinstance(stored, str)
    assert stored.startswith("a\ufffd\ufffd[31m\ufffdx")
    assert len(stored.encode()) == 10_240


def test_nothing_is_reported_without_the_lease() -> None:
    port = FakePort(lease_lost=True)
    with pytest.raises(LeaseLost):
        make_run(port).progress(-1)
    assert port.reports == []


@given(st.lists(st.tuples(NUMBERS, st.none() | NUMBERS), min_size=1))
def test_progress_never_goes_back_and_never_exceeds_its_total(calls: list[tuple[int, int | None]]) -> None:
    progress = Progress()
    seen = []
    for processed, total in calls:
        progress.report(processed, total)
        assert progress.latest is not None
        seen.append(progress.latest)
    assert all(before[0] <= after[0] for before, after in itertools.pairwise(seen))
    assert all(processed <= total for processed, total, _ in seen if total)


def test_a_flush_finds_what_is_newer_than_what_it_stored() -> None:
    progress = Progress()
    assert progress.newer_than(None) is None
    progress.report(1, 2)
    first = progress.newer_than(None)
    assert first == (1, 2, None)
    assert progress.newer_than(first) is None
    progress.report(1, 2)
    assert progress.newer_than(first) == (1, 2, None)


def test_a_flush_never_stores_what_falls_behind() -> None:
    progress = Progress()
    progress.latest = (4, 9, None)  # what a second thread of the handler left, a moment late
    assert progress.newer_than((5, 9, None)) is None


@pytest.mark.parametrize(
    ("template", "processed", "total", "text"),
    [
        ("Exported {processed} of {total}", 3, 10, "Exported 3 of 10"),
        ("{processed:,} of {total:,}", 12_345, 0, "12,345 of ?"),
        ("{{literal}} {processed}", 1, 1, "{literal} 1"),
        ("nothing in it", 1, 1, "nothing in it"),
        ("", 1, 1, ""),
    ],
)
def test_a_template_says_the_numbers_it_is_stored_with(template: str, processed: int, total: int, text: str) -> None:
    assert as_stored((processed, total, Template(template)))["message"] == text


@pytest.mark.parametrize(
    "template",
    [
        "{}",
        "{0}",
        "{name}",
        "{processed.__class__}",
        "{processed.__class__.__init__.__globals__}",
        "{total[0]}",
        "{processed!r}",
        "{processed:>9999999999}",
        "{processed:{total}}",
        "{processed",
        "processed}",
        "{ processed }",
        5,
    ],
)
def test_a_template_that_asks_for_anything_else_is_refused(template: Any) -> None:
    with pytest.raises(ValueError, match=r"^The message of track\(\) .*\.$"):
        Template(template)
