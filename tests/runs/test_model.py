"""Every state that a run can get into, with everything that can happen in it: the model itself is searched exhaustively.

The search counts attempts and failures up to a limit. Laws are about one step, and the search takes every step there is.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import get_args

import pytest
from tests.runs import model
from tests.runs.model import (
    CRASHES,
    ENDED,
    LEASE,
    LEGAL,
    ByHolder,
    Cancel,
    Checkpoint,
    Claim,
    Crash,
    Decision,
    Event,
    Fact,
    Finish,
    Lease,
    Overdue,
    Progress,
    Reap,
    Release,
    Renew,
    Retry,
    Row,
    Said,
    Told,
    Trigger,
    decide,
    later,
    tell,
)

ATTEMPTS = CRASHES + 1
DELAY = 2 * LEASE
WORKERS = ("anna", "ben")

Decide = Callable[[Row | None, Event, float], Decision]


@dataclass(frozen=True, slots=True)
class Pass:
    """Time goes by; to the model that is no event, only a later `now`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened, and what became of the run."""

    before: Row | None
    event: Event | Pass
    after: Row | None
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Life:
    """All that can happen to the runs of a slot."""

    steps: Collection[Step]
    rows: Collection[Row]


def live(decide: Decide = decide) -> Life:
    steps = list(walk(decide))
    return Life(steps, {step.after for step in steps if step.after})


def walk(decide: Decide = decide) -> Iterator[Step]:
    """Search breadth-first from a slot that was never used."""
    seen: set[Row | None] = {None}
    frontier: deque[Row | None] = deque([None])
    while frontier:
        for step in _steps(frontier.popleft(), decide):
            yield step
            if step.after not in seen:
                seen.add(step.after)
                frontier.append(step.after)


def _steps(row: Row | None, decide: Decide) -> Iterator[Step]:
    for event in _events(row):
        after, facts = decide(row, event, 0.0)
        yield Step(row, event, after and _within_bounds(after), facts)
    if row is not None:
        for seconds in (LEASE / 2, 2 * LEASE):
            yield Step(row, Pass(seconds), _within_bounds(later(row, seconds)), ())


def _events(row: Row | None) -> Iterator[Event]:
    """Everything that may happen now, also what is too late, asked in vain or said by nobody who could."""
    yield from (Trigger(), Retry(), Reap(), Cancel(), Cancel(include_pending=True))
    for worker in WORKERS:
        yield Renew(worker)
    if row is None or row.attempt < ATTEMPTS:
        yield from (Claim(Lease(worker, until)) for worker in WORKERS for until in (0.0, LEASE))
    for attempt in range(1, (row.attempt if row else 0) + 2):
        yield from _said_by(attempt)


def _said_by(attempt: int) -> Iterator[ByHolder]:
    yield from (Progress(attempt, 1), Checkpoint(attempt, 1), Release(attempt), Crash(attempt), Overdue(attempt))
    yield from (Finish(attempt, said) for said in get_args(Said))
    yield Finish(attempt, "retrying", DELAY)


def _within_bounds(row: Row) -> Row:
    """The row, with what has passed long ago as passed just now, and no more failures than tell apart none and some."""
    lease = row.lease and replace(row.lease, until=max(row.lease.until, 0.0))
    due = 0.0 if row.ended else max(row.due, 0.0)
    return replace(row, due=due, failures=min(row.failures, 1), lease=lease)


# Laws of one step. Each raises AssertionError.


def _terminal_is_absorbing(step: Step) -> None:
    if step.before and step.before.ended and step.after != step.before:
        fresh = step.after == Row(due=0.0) and step.facts == (Fact("triggered", 0),)
        assert fresh, step
        assert isinstance(step.event, Trigger | Retry), step


def _an_active_run_keeps_its_slot(step: Step) -> None:
    if step.before and not step.before.ended and isinstance(step.event, Trigger | Retry):
        assert (step.after, step.facts) == (step.before, ()), step


def _only_legal_moves(step: Step) -> None:
    before = step.before.status if step.before and not step.before.ended else None
    after = step.after.status if step.after else None
    assert step.after == step.before or before == after or (before, after) in LEGAL, step


def _attempts_rise_one_at_a_time_with_a_claim(step: Step) -> None:
    if step.before and step.after and not step.before.ended:
        began = step.before.status == "pending" and step.after.status == "running"
        assert step.after.attempt == step.before.attempt + began, step
        assert not began or isinstance(step.event, Claim), step


def _only_who_has_a_lease_takes_what_is_due(step: Step) -> None:
    if isinstance(step.event, Claim) and step.after != step.before:
        assert not step.event.lease.lapsed(0.0), step
        assert step.before, step
        assert step.before.due <= 0.0, step


def _a_lease_is_held_exactly_while_running(step: Step) -> None:
    if step.after:
        assert (step.after.lease is not None) == (step.after.status == "running"), step


def _a_run_whose_lease_holds_is_lost_by_its_own_process_only(step: Step) -> None:
    if step.before and step.before.lease and not step.before.lease.lapsed(0.0) and any(f.kind == "lost" for f in step.facts):
        assert isinstance(step.event, Crash), step


def _a_stale_attempt_changes_nothing(step: Step) -> None:
    if not isinstance(step.event, ByHolder) or (step.before and step.before.in_hands_of(step.event.attempt)):
        return
    charged = step.before and isinstance(step.event, Release) and step.event.attempt in step.before.charged
    if charged and step.before and not step.before.ended and not step.before.forgiven:
        assert step.after == replace(step.before, charged=step.before.charged - {step.event.attempt}, forgiven=True), step
    else:
        assert (step.after, step.facts) == (step.before, ()), step


def _an_acknowledged_cancel_ends_cancelled(step: Step) -> None:
    if step.before and step.before.cancel_requested and not step.before.ended:
        assert step.after, step
        assert step.after.cancel_requested, step
        assert step.after.status in ("running", "cancelled"), step
    if step.before and step.before.status == "running" and isinstance(step.event, Cancel):
        assert step.after, step
        assert step.after.cancel_requested, step


def _no_more_crashes_than_the_limit(step: Step) -> None:
    if step.after:
        assert step.after.crashes <= CRASHES, step
        assert step.after.ended or step.after.crashes < CRASHES, step


def _each_loss_is_charged_once(step: Step) -> None:
    lost = [fact for fact in step.facts if fact.kind == "lost"]
    if lost and step.before and step.after:
        assert step.after.crashes == step.before.crashes + 1, step


def _the_facts_say_what_the_row_says(step: Step) -> None:
    before = step.before if step.before and not step.before.ended else None
    told = Told(before.status, before.attempt, before.cancel_requested) if before else Told()
    if (step.after and step.after != step.before) or step.facts:
        assert step.after, step
        said = tell(step.facts, told)
        assert said[:3] == (step.after.status, step.after.attempt, step.after.cancel_requested), step


def _what_changes_a_status_leaves_a_fact(step: Step) -> None:
    if step.after and (step.before is None or step.after.status != step.before.status):
        assert step.facts, step


LAWS = [
    _terminal_is_absorbing,
    _an_active_run_keeps_its_slot,
    _only_legal_moves,
    _attempts_rise_one_at_a_time_with_a_claim,
    _only_who_has_a_lease_takes_what_is_due,
    _a_lease_is_held_exactly_while_running,
    _a_run_whose_lease_holds_is_lost_by_its_own_process_only,
    _a_stale_attempt_changes_nothing,
    _an_acknowledged_cancel_ends_cancelled,
    _no_more_crashes_than_the_limit,
    _each_loss_is_charged_once,
    _the_facts_say_what_the_row_says,
    _what_changes_a_status_leaves_a_fact,
]


# Laws of whole lives


def _every_run_can_move_on(life: Life) -> None:
    moving = {step.before for step in life.steps if step.after != step.before}
    stuck = [row for row in life.rows if row not in moving]
    assert not stuck, stuck[:3]


def _every_run_can_end_without_being_asked_to(life: Life) -> None:
    """By what workers do and by time alone: no run waits for a person. At its limit of attempts the search claims no more."""
    asked = (Trigger, Retry, Cancel)
    into: dict[Row | None, list[Row | None]] = defaultdict(list)
    for step in life.steps:
        if not isinstance(step.event, asked):
            into[step.after].append(step.before)
    ending = {row for row in life.rows if row.ended}
    frontier = list(ending)
    while frontier:
        new = {before for before in into[frontier.pop()] if before not in ending}
        ending |= new
        frontier += new
    endless = [row for row in life.rows if row not in ending and not _beyond(row)]
    assert not endless, endless[:3]


def _beyond(row: Row) -> bool:
    return row.status == "pending" and row.attempt == ATTEMPTS


def _every_status_is_reached(life: Life) -> None:
    assert {row.status for row in life.rows} == {"pending", "running", *ENDED}


WHOLE = [_every_run_can_move_on, _every_run_can_end_without_being_asked_to, _every_status_is_reached]


def _keep(law: Callable[[Step], None], steps: Iterable[Step]) -> None:
    for step in steps:
        law(step)


@cache
def the_life() -> Life:
    return live()


@pytest.mark.slow
def test_the_search_is_bounded_and_goes_everywhere() -> None:
    life = the_life()
    print(f"{len(life.rows)} states, {len(life.steps)} steps")
    assert 1_000 < len(life.rows) < 100_000
    kinds = {fact.kind for step in life.steps for fact in step.facts}
    assert kinds == {"triggered", "cancel_requested", "overdue", *model._MOVES}
    happened = {type(step.event) for step in life.steps if step.after != step.before or step.facts}
    assert happened == {*get_args(Event), Pass}


@pytest.mark.parametrize("law", LAWS)
def test_every_step_keeps_the_law(law: Callable[[Step], None]) -> None:
    _keep(law, the_life().steps)


@pytest.mark.parametrize("law", WHOLE)
def test_every_life_keeps_the_law(law: Callable[[Life], None]) -> None:
    law(the_life())


# Models that are wrong on purpose


def _finish_without_a_fence(row: Row | None, event: Event, now: float) -> Decision:
    return decide(row, replace(event, attempt=row.attempt) if row and isinstance(event, Finish) else event, now)


def _checkpoint_without_a_fence(row: Row | None, event: Event, now: float) -> Decision:
    return decide(row, replace(event, attempt=row.attempt) if row and isinstance(event, Checkpoint) else event, now)


def _release_that_forgets_the_cancel(row: Row | None, event: Event, now: float) -> Decision:
    return decide(replace(row, cancel_requested=False) if row and isinstance(event, Release) else row, event, now)


def _finish_that_wins_over_a_cancel(row: Row | None, event: Event, now: float) -> Decision:
    if row is None or not isinstance(event, Finish):
        return decide(row, event, now)
    after, facts = decide(replace(row, cancel_requested=False), event, now)
    return after and replace(after, cancel_requested=row.cancel_requested), facts


def _loss_without_a_charge(row: Row | None, event: Event, now: float) -> Decision:
    after, facts = decide(row, event, now)
    return replace(after, charged=row.charged) if row and after and isinstance(event, Crash) else after, facts


def _loss_without_a_limit(row: Row | None, event: Event, now: float) -> Decision:
    if row and row.crashes == CRASHES - 1 and isinstance(event, Crash) and row.in_hands_of(event.attempt):
        lost = replace(row, status="pending", lease=None, charged=row.charged | {row.attempt})
        return lost, (Fact("lost", row.attempt),)
    return decide(row, event, now)


def _claim_of_what_has_ended(row: Row | None, event: Event, now: float) -> Decision:
    return decide(replace(row, status="pending") if row and isinstance(event, Claim) and row.ended else row, event, now)


def _claim_without_a_lease(row: Row | None, event: Event, now: float) -> Decision:
    return decide(row, Claim(replace(event.lease, until=LEASE)) if isinstance(event, Claim) else event, now)


def _trigger_of_a_taken_slot(row: Row | None, event: Event, now: float) -> Decision:
    return decide(None if isinstance(event, Trigger) else row, event, now)


def _reap_of_the_living(row: Row | None, event: Event, now: float) -> Decision:
    return decide(row, event, now + LEASE if isinstance(event, Reap) else now)


def _release_for_ever(row: Row | None, event: Event, now: float) -> Decision:
    after, facts = decide(row, event, now)
    return replace(after, due=float("inf")) if after and facts and isinstance(event, Release) else after, facts


def _end_without_a_fact(row: Row | None, event: Event, now: float) -> Decision:
    after, facts = decide(row, event, now)
    return after, () if isinstance(event, Finish) else facts


def _end_with_the_wrong_fact(row: Row | None, event: Event, now: float) -> Decision:
    after, facts = decide(row, event, now)
    return after, tuple(fact._replace(kind="completed") if fact.kind == "failed" else fact for fact in facts)


@pytest.mark.parametrize(
    ("wrong", "law"),
    [
        (_finish_without_a_fence, _a_stale_attempt_changes_nothing),
        (_checkpoint_without_a_fence, _a_stale_attempt_changes_nothing),
        (_release_that_forgets_the_cancel, _an_acknowledged_cancel_ends_cancelled),
        (_finish_that_wins_over_a_cancel, _an_acknowledged_cancel_ends_cancelled),
        (_loss_without_a_charge, _each_loss_is_charged_once),
        (_loss_without_a_limit, _no_more_crashes_than_the_limit),
        (_claim_of_what_has_ended, _terminal_is_absorbing),
        (_claim_without_a_lease, _only_who_has_a_lease_takes_what_is_due),
        (_trigger_of_a_taken_slot, _an_active_run_keeps_its_slot),
        (_reap_of_the_living, _a_run_whose_lease_holds_is_lost_by_its_own_process_only),
        (_end_without_a_fact, _what_changes_a_status_leaves_a_fact),
        (_end_with_the_wrong_fact, _the_facts_say_what_the_row_says),
    ],
)
def test_the_search_sees_a_step_that_is_wrong(wrong: Decide, law: Callable[[Step], None]) -> None:
    with pytest.raises(AssertionError):
        _keep(law, walk(wrong))


@pytest.mark.walk
def test_the_search_sees_a_run_that_waits_for_ever() -> None:
    with pytest.raises(AssertionError):
        _every_run_can_end_without_being_asked_to(live(_release_for_ever))
