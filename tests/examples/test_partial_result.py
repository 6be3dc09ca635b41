"""A failure that says what was wrong, and what was done."""

from __future__ import annotations

from examples.partial_result import app

from tawny.testing import run


def test_lines_that_are_all_right_are_imported() -> None:
    assert run(app, "import_contacts", {"lines": ["Ada,ada@example.com"]}).result == {"imported": 1, "refused": []}


def test_a_line_that_is_not_fails_the_run_for_good_and_is_named() -> None:
    outcome = run(app, "import_contacts", {"lines": ["Ada,ada@example.com", "no address"]})
    assert (outcome.status, outcome.error) == ("failed", "1 of 2 lines are not `name,address`.")
    assert outcome.result == {"imported": 1, "refused": [{"line": 2, "text": "no address"}]}
