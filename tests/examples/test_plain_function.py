"""A plain function counts, saves and stops."""

from __future__ import annotations

import pytest
from examples.plain_function import app

from tawny.errors import InvalidRequest
from tawny.testing import run


def test_it_finds_the_primes() -> None:
    outcome = run(app, "find_primes", {"below": "100"})
    assert (outcome.result, outcome.checkpoint) == ({"found": 25, "largest": 97}, {"found": 25})
    assert [line.fields["prime"] for line in outcome.logs][:3] == [3, 5, 7]
    assert outcome.progress[-1].message == "49 of 49 numbers"


def test_a_cancel_stops_it_at_the_next_number() -> None:
    outcome = run(app, "find_primes", cancel_after=10)
    assert (outcome.status, outcome.progress[-1].processed) == ("cancelled", 10)


def test_too_high_a_number_is_refused_before_there_is_a_run() -> None:
    with pytest.raises(InvalidRequest, match="below"):
        run(app, "find_primes", {"below": 10**6})
