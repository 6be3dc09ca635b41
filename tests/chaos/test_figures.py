"""Figures are counted and measured as they are named."""

from __future__ import annotations

import pytest
from tests.chaos.evidence import Evidence, Health
from tests.chaos.figures import claims, figures, merged, peak, recoveries, resumes, shutdowns, spread
from tests.chaos.forgeries import FORGERIES, Forgery
from tests.chaos.plan import Scenario
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.story import CALM, KILLED, LEAVING, Story, good_story


def test_the_good_story_in_figures() -> None:
    expected = {
        "kills": 4,
        "stops": 2,
        "terms": 1,
        "restarts": 1,
        "outages": 1,
        "exits": 1,
        "acked": 16,
        "info": 2,
        "conflicts": 1,
        "cancels": 1,
        "retried": 0,
        "refusals": 3,
        "terminal": 18,
        "statuses": {"completed": 16, "cancelled": 2},
        "ticks": 3,
        "ticks_started": 1,
        "ticks_missed": 1,
        "ticks_wrong": 0,
        "crashes": 3,
        "released": 6,
        "lost": 0,
        "phantom": 0,
        "double_terminal": 0,
        "overlap": 0,
        "mails": 2,
        "mails_again": 1,
        "mails_unsure": 1,
        "mails_lost": 0,
        "mail_outages": 1,
        "zombie_steps": 0,
        "zombie_max_s": 0.0,
        "recoveries": 1,
        "stale_refused": 2,
        "stale_accepted": 0,
        "rss_growth": 0.017,
    }
    found = figures(good_story())
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_every_gate_is_a_figure(scenario: Scenario) -> None:
    assert scenario.gates.keys() <= figures(good_story()).keys()


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
def test_whatever_is_wrong_can_be_put_in_figures(forgery: Forgery) -> None:
    evidence = good_story()
    evidence.facts += [{"what": "snapshot", "at": 5.0}]
    forgery.change(evidence)
    assert figures(evidence)


# Spread


def test_nothing_is_spread_as_nothing() -> None:
    assert spread([]) == {"n": 0}


def test_one_is_all_of_it() -> None:
    assert spread([0.5]) == {"n": 1, "p50": 0.5, "p99": 0.5, "max": 0.5}


def test_percentiles_are_the_least_of_which_so_many_are_no_more_than_that() -> None:
    assert spread([float(number) for number in range(100, 0, -1)]) == {"n": 100, "p50": 50, "p99": 99, "max": 100}
    assert spread([1.0, 2.0, 3.0, 4.0]) == {"n": 4, "p50": 2, "p99": 4, "max": 4}


# Recoveries


def killed_at(story: Story, killed: float, *, again: float, run: str = "killed", pid: int = KILLED) -> None:
    tale = story.triggered(killed - 1, run)
    tale.starts(killed - 0.5, pid)
    story.process(killed, "kill", pid)
    tale.becomes("lost")
    tale.starts(again, CALM)


def seconds_of(found: list[tuple[float, bool]]) -> list[tuple[float, bool]]:
    return [(round(seconds, 3), up) for seconds, up in found]


def test_a_recovery_is_measured_from_the_kill_to_the_next_start() -> None:
    story = Story()
    killed_at(story, 10.0, again=12.2)
    assert seconds_of(list(recoveries(story.told()))) == [(2.2, True)]


@pytest.mark.parametrize(
    ("down", "up", "was_up"),
    [(10.5, 11.5, False), (7.0, 8.5, False), (12.5, 13.0, True), (6.0, 7.5, True)],
    ids=["away meanwhile", "away a lease before", "away afterwards", "away long before"],
)
def test_a_recovery_knows_whether_the_database_was_up(down: float, up: float, was_up: bool) -> None:
    story = Story()
    killed_at(story, 10.0, again=12.2)
    story.outage(down, up)
    assert seconds_of(list(recoveries(story.told()))) == [(2.2, was_up)]


def test_a_run_that_was_through_with_its_attempt_only_waited_for_its_turn() -> None:
    """The good story has runs that raised, gave up and were handed back on workers that were killed later."""
    assert seconds_of(list(recoveries(good_story()))) == [(2.4, True)]


def test_a_worker_that_was_stopped_before_it_was_killed_had_lost_its_run_by_then() -> None:
    story = Story()
    killed_at(story, 10.0, again=10.1)
    story.process(9.9, "stop", KILLED)
    assert list(recoveries(story.told())) == []


def test_a_run_that_never_started_again_has_not_recovered() -> None:
    story = Story()
    tale = story.triggered(9.0, "killed")
    tale.starts(9.5, KILLED)
    story.process(10.0, "kill", KILLED)
    tale.becomes("lost")
    assert list(recoveries(story.told())) == []


# Resumes


def resumed(outages: list[tuple[float, float]], starts: list[float], calls: tuple[float, ...] = (0.0, 60.0)) -> list[float]:
    story = Story()
    for down, up in outages:
        story.outage(down, up)
    for at in starts:
        story.triggered(0.5, f"started at {at}").starts(at, CALM)
    for at in calls:
        story.called(at, f"of {at}", "info")
    return [round(seconds, 3) for seconds in resumes(story.told())]


def test_a_service_has_resumed_with_the_first_start_after_the_database_is_back() -> None:
    assert resumed([(10, 12), (20, 21)], [5, 11, 12.5, 13, 21.75]) == [0.5, 0.75]


def test_between_two_outages_that_are_close_there_may_be_no_time_to_resume() -> None:
    assert resumed([(10, 12), (14, 15)], [15.5]) == [0.5]


def test_a_service_that_has_not_resumed_before_the_next_outage_counts_with_the_time_it_had() -> None:
    assert resumed([(10, 12), (20, 21)], [21.5]) == [8, 0.5]


def test_a_service_that_never_resumes_counts_as_long_as_somebody_calls() -> None:
    assert resumed([(10, 12)], [5], calls=(0.0, 13.0, 40.0)) == [28]


def test_a_service_that_nobody_calls_any_more_has_nothing_to_resume() -> None:
    assert resumed([(10, 12)], [5], calls=(0.0, 13.0)) == []


# Shutdowns


def test_without_a_shutdown_there_is_nothing_to_say_of_it() -> None:
    story = Story()
    assert shutdowns(story.told()) == {}


def test_what_a_leaving_worker_gives_back_is_measured_from_when_it_was_told() -> None:
    found = shutdowns(good_story())
    assert found == {"claimed_after_term_max": 0.0, "given_back": {"n": 1, "p50": 0.7, "p99": 0.7, "max": 0.7}}


def test_a_start_after_the_first_word_to_stop_is_late() -> None:
    story = Story()
    for at in (10.0, 10.5):
        story.process(at, "term", LEAVING)
    story.triggered(9.0, "early").starts(9.5, LEAVING)
    story.triggered(9.0, "late").starts(10.07, LEAVING)
    assert shutdowns(story.told())["claimed_after_term_max"] == 0.07


def test_what_a_leaving_worker_lost_or_had_given_back_before_is_not_given_back() -> None:
    story = Story()
    before, lost = story.triggered(1.0, "before"), story.triggered(9.0, "lost")
    before.starts(2.0, LEAVING)
    before.becomes("released")
    before.starts(3.0, CALM)
    lost.starts(9.5, LEAVING)
    story.process(10.0, "term", LEAVING)
    story.process(10.2, "kill", LEAVING)
    lost.becomes("lost")
    lost.starts(12.5, CALM)
    assert shutdowns(story.told())["given_back"] == {"n": 0}


# Claims


def claimed(snapshot: tuple[float, ...], calls: dict[float, float]) -> Evidence:
    """`calls`: when each run was called for, and when it started."""
    story = Story()
    for at, what in zip(snapshot, ("snapshot", "snapshot over"), strict=False):
        story.note(at, what)
    for at, start in calls.items():
        story.triggered(at, f"called at {at}").starts(start, CALM)
    return story.told()


def test_without_a_snapshot_claims_are_not_compared() -> None:
    assert claims(claimed((), {1.0: 1.5})) == {}


def test_claims_are_compared_before_and_during_a_snapshot() -> None:
    found = claims(claimed((10.0, 20.0), {1.0: 1.5, 11.0: 12.0, 21.0: 29.0}))
    assert found["claim_before_snapshot"] == {"n": 1, "p50": 0.5, "p99": 0.5, "max": 0.5}
    assert found["claim_during_snapshot"] == {"n": 1, "p50": 1.0, "p99": 1.0, "max": 1.0}
    assert found["snapshot_ratio"] == 2.0


@pytest.mark.parametrize(
    "calls", [{11.0: 12.0}, {1.0: 1.5}, {1.0: 1.0, 11.0: 12.0}], ids=["none before", "none during", "at once"]
)
def test_what_cannot_be_compared_has_no_ratio(calls: dict[float, float]) -> None:
    assert claims(claimed((10.0, 20.0), calls))["snapshot_ratio"] is None


def test_only_the_first_start_of_a_run_is_its_claim() -> None:
    story = Story()
    story.note(0.5, "snapshot")
    tale = story.triggered(1.0, "retried")
    tale.starts(1.5, CALM)
    tale.becomes("retrying")
    tale.starts(9.0, CALM)
    assert claims(story.told())["claim_during_snapshot"]["max"] == 0.5


# The most


@pytest.mark.parametrize(
    ("times", "most"),
    [([], 0), ([1.0], 1), ([0.0, 0.5, 1.0, 1.6], 3), ([0.0, 2.0, 4.0], 1), ([1.0, 1.0, 1.0], 3), ([0.0, 0.9, 1.8, 1.9], 3)],
)
def test_the_peak_is_the_most_within_any_second(times: list[float], most: int) -> None:
    assert peak(times) == most


def test_connections_are_counted_once_the_database_is_back() -> None:
    story = Story()
    story.outage(5.0, 8.0)
    evidence = story.told()
    evidence.connects = [1.0, 1.1, 1.2, 1.3, 6.0, 8.1, 8.2, 9.0]
    assert figures(evidence)["connects_peak"] == 3


def test_growth_is_that_of_who_lived_through_it() -> None:
    evidence = good_story()
    evidence.before = {"a": Health(100, 1), "b": Health(100, 1), "gone": Health(100, 1)}
    evidence.after = {"a": Health(90, 1), "b": Health(125, 1), "new": Health(900, 1)}
    assert figures(evidence)["rss_growth"] == 0.25


def test_the_longest_zombie_is_counted_from_the_start_that_should_have_ended_it() -> None:
    evidence = good_story()
    for forgery in ("zombie_of_the_run", "zombie_of_the_slot"):
        FORGERIES[forgery].change(evidence)
    found = figures(evidence)
    assert (found["zombie_steps"], found["zombie_max_s"]) == (2, 0.41)


# Several scenarios


def test_counts_are_added_up() -> None:
    assert merged([{"kills": 3}, {"kills": 4}, {"terms": 1}]) == {"kills": 7, "terms": 1}
    assert merged([{"statuses": {"failed": 1}}, {"statuses": {"failed": 2, "completed": 3}}]) == {
        "statuses": {"failed": 3, "completed": 3}
    }


@pytest.mark.parametrize("name", ["connections", "connects_peak", "rss_growth", "drain_s", "zombie_max_s", "snapshot_ratio"])
def test_of_what_is_a_most_the_most_is_kept(name: str) -> None:
    number = int if name.startswith("connect") else float
    assert merged([{name: number(7)}, {name: number(4)}, {name: None}]) == {name: 7}


def test_percentiles_are_not_made_up() -> None:
    assert merged([{"recover": spread([1.0, 3.0])}, {"recover": spread([2.0])}, {"recover": spread([])}]) == {
        "recover": {"n": 3, "max": 3.0}
    }
