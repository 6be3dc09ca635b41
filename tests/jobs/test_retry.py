"""How long a failed run waits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tawny.jobs import delay_before_retry


@pytest.mark.parametrize(("failures", "whole"), [(1, 2), (2, 4), (3, 8), (11, 2048), (12, 3600), (100, 3600)])
def test_the_delay_doubles_from_two_seconds_to_an_hour(failures: int, whole: float) -> None:
    assert delay_before_retry(failures, 1.0) == whole
    assert delay_before_retry(failures, 0.0) == whole / 2


@given(st.integers(1, 10**6), st.floats(0, 1))
def test_between_half_and_all_of_it_is_waited(failures: int, chance: float) -> None:
    whole = delay_before_retry(failures, 1.0)
    assert whole / 2 <= delay_before_retry(failures, chance) <= whole <= 3600
