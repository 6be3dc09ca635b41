"""The judge finds nothing where nothing is wrong, and each lie for what it is."""

from __future__ import annotations

from typing import Any

import pytest
from tests.chaos import forgeries
from tests.chaos.checker import INVARIANTS, judge
from tests.chaos.evidence import Evidence
from tests.chaos.figures import figures
from tests.chaos.forgeries import FORGERIES, Forgery
from tests.chaos.story import CUT_OFF, KILLED, LEAVING, STUNNED, good_story

GATES = {"acked": 16}


def verdict(evidence: Evidence) -> dict[str, list[str]]:
    return judge(evidence, GATES, figures(evidence))


def test_of_a_good_story_nothing_is_found() -> None:
    assert verdict(good_story()) == {}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=[forgery.sentence for forgery in FORGERIES.values()])
def test_a_forgery_trips_its_invariant_and_no_other(forgery: Forgery) -> None:
    evidence = good_story()
    forgery.change(evidence)
    found = verdict(evidence)
    assert {name: len(broken) for name, broken in found.items()} == {forgery.invariant: 1}, found


def test_every_invariant_has_forgeries() -> None:
    assert {forgery.invariant for forgery in FORGERIES.values()} == {*INVARIANTS, "I13"}


def test_every_invariant_says_in_one_line_what_it_is() -> None:
    assert list(forgeries.sayings()) == [*INVARIANTS, "I13"]


def test_the_table_has_a_row_for_each_invariant() -> None:
    head, _, *rows = forgeries.rows()
    assert [row.count("|") for row in (head, *rows)] == [4] * (len(INVARIANTS) + 2)
    assert all(row.split("|")[3].strip() for row in rows)


# What excuses a run that was given back without a charge although its process was killed


def without(evidence: Evidence, **fact: Any) -> None:
    kept = [one for one in evidence.facts if not fact.items() <= one.items()]
    assert len(kept) < len(evidence.facts)
    evidence.facts = kept


def not_told_to_end(evidence: Evidence) -> None:
    without(evidence, what="term", pid=LEAVING)


def told_to_end_too_late(evidence: Evidence) -> None:
    not_told_to_end(evidence)
    evidence.facts.append({"what": "term", "at": 99.0, "pid": LEAVING})


def not_stopped(evidence: Evidence) -> None:
    without(evidence, what="stop", pid=STUNNED)


def not_cut_off(evidence: Evidence) -> None:
    for what in ("down", "up", "exit"):
        without(evidence, what=what)


def not_given_up(evidence: Evidence) -> None:
    without(evidence, what="refused_call", pid=KILLED)


def given_up_too_late(evidence: Evidence) -> None:
    not_given_up(evidence)
    evidence.facts.append({"what": "refused_call", "at": 99.0, "run": "gave up", "attempt": 1, "pid": KILLED, "call": "log"})


def heard_of(evidence: Evidence) -> None:
    evidence.facts.insert(0, {"what": "start", "at": 10.05, "run": "unheard", "attempt": 1, "pid": KILLED})


EXCUSED = [not_told_to_end, told_to_end_too_late, not_stopped, not_cut_off, not_given_up, given_up_too_late, heard_of]


@pytest.mark.parametrize("take_away", EXCUSED, ids=lambda change: change.__name__)
def test_without_its_excuse_a_run_that_was_given_back_should_have_been_charged(take_away: Any) -> None:
    evidence = good_story()
    take_away(evidence)
    found = verdict(evidence)
    assert {name: len(broken) for name, broken in found.items()} == {"I9": 1}, found


@pytest.mark.parametrize("what", ["stop", "frozen", "term"])
def test_a_process_that_was_disturbed_may_have_lost_its_runs_before_it_was_killed(what: str) -> None:
    evidence = good_story()
    FORGERIES["died_forgiven"].change(evidence)
    evidence.facts.append({"what": what, "at": 11.5, "pid": KILLED})
    assert verdict(evidence) == {}


def test_a_run_that_holds_the_interpreter_disturbs_its_process() -> None:
    evidence = good_story()
    FORGERIES["died_forgiven"].change(evidence)
    next(run for run in evidence.runs if run["id"] == "killed")["job_type"] = "clutch"
    assert verdict(evidence) == {}


def test_of_handlers_that_do_not_say_when_they_are_through_nobody_knows_whether_they_were_running() -> None:
    evidence = good_story()
    FORGERIES["died_uncharged"].change(evidence)
    next(run for run in evidence.runs if run["id"] == "killed")["job_type"] = "blink"
    assert verdict(evidence) == {}


def test_a_killed_worker_that_was_cut_off_is_told_apart_by_when_that_was() -> None:
    """The database went away when this attempt had not begun: that is no reason to lose it."""
    evidence = good_story()
    start = next(fact for fact in evidence.of("start") if fact["pid"] == CUT_OFF)
    start["at"] = 42.0
    assert set(verdict(evidence)) == {"I9"}
