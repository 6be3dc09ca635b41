"""What will be broken is drawn before anything is started, and all of it can be done."""

from __future__ import annotations

from collections import Counter

import pytest
from tests.chaos.faults import FAULTS
from tests.chaos.plan import Fault, Scenario, digest
from tests.chaos.scenarios import SCENARIOS

SEEDS = range(20)

UNDRAWN = {"C2", "C7", "C8", "C10", "C11"}
"""Scenarios whose faults are the same whatever the seed: the calls of clients and the replies that are lost are drawn."""

RARE = {"reset", "close", "freeze", "freeze_api"}
"""Of these C1 draws one at a time, so that a short cut of it does not have all of them."""

every_scenario = pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
every_length = pytest.mark.parametrize("share", [1.0, 0.5, 0.18, 0.05], ids=lambda share: f"{share:.0%}")


@every_scenario
def test_the_same_seed_breaks_the_same_at_the_same_times(scenario: Scenario) -> None:
    plans = [scenario.plan(seed, scenario.seconds) for seed in SEEDS]
    assert plans == [scenario.plan(seed, scenario.seconds) for seed in SEEDS]


@every_scenario
def test_another_seed_breaks_something_else(scenario: Scenario) -> None:
    names = {digest(scenario.plan(seed, scenario.seconds)) for seed in SEEDS}
    assert len(names) == (1 if scenario.name in UNDRAWN else len(SEEDS))


@every_scenario
def test_scenarios_of_one_seed_draw_apart(scenario: Scenario) -> None:
    others = [other for other in SCENARIOS.values() if other is not scenario and scenario.name not in UNDRAWN]
    assert all(other.plan(1, 30) != scenario.plan(1, 30) for other in others)


@every_length
@every_scenario
def test_everything_planned_can_be_done(scenario: Scenario, share: float) -> None:
    for seed in SEEDS:
        assert kinds_of(scenario.plan(seed, scenario.seconds * share)) <= FAULTS.keys()


def test_everything_that_can_be_done_is_planned_somewhere() -> None:
    planned = {fault.kind for scenario in SCENARIOS.values() for seed in SEEDS for fault in scenario.plan(seed, scenario.seconds)}
    assert planned == FAULTS.keys()


@every_length
@every_scenario
def test_all_of_it_begins_within_the_time_and_in_order(scenario: Scenario, share: float) -> None:
    seconds = scenario.seconds * share
    for seed in SEEDS:
        times = [fault.at for fault in scenario.plan(seed, seconds)]
        assert times == sorted(times)
        assert all(0 < at < seconds for at in times)


@every_length
@every_scenario
def test_a_shorter_cut_keeps_at_least_one_of_each_kind(scenario: Scenario, share: float) -> None:
    rare = RARE if scenario.name == "C1" else set()
    for seed in SEEDS:
        full, cut = (kinds_of(scenario.plan(seed, scenario.seconds * part)) - rare for part in (1.0, share))
        # A short C1 restarts the database once, and that is immediately.
        assert full - cut <= ({"restart_fast"} if share < 0.2 else set())


@every_scenario
def test_a_full_run_plans_what_its_gates_ask_for(scenario: Scenario) -> None:
    """With some to spare: a fault may find its process just killed by another."""
    for seed in SEEDS:
        planned = Counter(fault.kind for fault in scenario.plan(seed, scenario.seconds))
        for gate, kinds in ASKED_OF.items():
            least = scenario.gates.get(gate, 0)
            assert sum(planned[kind] for kind in kinds) >= least, f"{gate} with seed {seed}"


STOPS = ("stop", "stop_in_heartbeat", "stop_in_write", "stop_in_transaction", "stop_at_commit")
FREEZES = ("freeze_in_write", "freeze_in_heartbeat", "freeze_at_commit", "freeze", "freeze_replies", "clutch", "slow", "trickle")

ASKED_OF = {
    "kills": ("kill", "kill_api", "term_and_kill"),
    "stops": STOPS,
    "freezes": (*FREEZES, "cut_commit"),
    "cuts": ("reset", "close"),
    "restarts": ("restart_fast", "restart_immediate", "kill_database", "crash_database"),
    "terms": ("term", "term_twice", "term_and_kill"),
}


def kinds_of(plan: list[Fault]) -> set[str]:
    return {fault.kind for fault in plan}
