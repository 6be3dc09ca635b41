"""The guide says what was measured, and nothing else."""

from __future__ import annotations

from collections import Counter

from tests.chaos import page
from tests.chaos.mutants import MUTANTS
from tests.chaos.scenarios import SCENARIOS


def test_the_tables_of_the_guide_are_those_of_the_committed_runs() -> None:
    assert page.GUIDE.read_text() == page.written(page.GUIDE.read_text()), "run `python -m tests.chaos.page`"


def test_a_changed_figure_is_seen() -> None:
    guide = page.GUIDE.read_text()
    forged = guide.replace("| deadlocks | 0 |", "| deadlocks | 1 |")
    assert forged != guide
    assert page.written(forged) == guide


def test_ten_different_seeds_with_every_scenario_passed() -> None:
    lines = page.lines()
    seen = Counter((line["seed"], name) for line in lines for name in line["scenarios"])
    seeds = {line["seed"] for line in lines}
    assert len(seeds) >= 10
    assert seen == Counter((seed, name) for seed in seeds for name in SCENARIOS)
    assert all(line["passed"] for line in lines)
    assert sum(line["acked"] for line in lines) >= 5_000


def test_every_mutant_was_caught_by_an_invariant_that_it_should_break() -> None:
    caught = page.caught()
    assert caught["0"] == []
    assert [number for number, mutant in MUTANTS.items() if not mutant.expected & set(caught[str(number)])] == []
