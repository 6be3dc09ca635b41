"""What needs attention."""

from __future__ import annotations

from typing import Any

import pytest

from tawny.dashboard.attention import needs_attention
from tawny.history import OfType, Quantiles, Recent, Stats, Summary
from tawny.runs import Count


def of(job_type: str, *, running: int = 0, waiting: float | None = None, recent: int = 0, share: float | None = None) -> OfType:
    some, none = Count(running, capped=False), Count(0, capped=False)
    unknown = Quantiles(None, None)
    return OfType(job_type, Summary(none, some, none, none, none, waiting, Recent(recent, share, unknown, unknown)))


def found(*types: OfType, workers: int = 1) -> list[Any]:
    stats = Stats(runs=of("").runs, hours=[], job_types=list(types), workers=workers)
    return [(need.kind, need.job_type) for need in needs_attention(stats)]


def test_where_all_is_well_nothing_does() -> None:
    assert found(of("export", running=3, waiting=59, recent=100, share=0.19)) == []


@pytest.mark.parametrize(
    ("job", "kinds"),
    [
        (of("a", recent=5, share=0.2), [("failing", "a")]),
        (of("a", recent=4, share=1.0), []),
        (of("a", waiting=60), [("not_taken", "a")]),
        (of("a", waiting=60, running=1), [("backlog", "a")]),
        (of("a", waiting=60, running=1, recent=10, share=0.5), [("failing", "a"), ("backlog", "a")]),
    ],
)
def test_a_type_that_fails_or_waits_does(job: OfType, kinds: list[Any]) -> None:
    assert found(job) == kinds


def test_without_a_worker_that_is_told_once_and_not_of_each_type() -> None:
    assert found(of("a", waiting=999), of("b", waiting=999), workers=0) == [("no_worker", None)]


def test_what_stands_still_comes_before_what_is_slow() -> None:
    slow, failing, stopped = of("a", waiting=99, running=1), of("b", recent=9, share=1.0), of("c", waiting=99)
    assert found(slow, failing, stopped) == [("not_taken", "c"), ("failing", "b"), ("backlog", "a")]
