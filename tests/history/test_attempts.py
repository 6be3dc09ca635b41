"""Attempts as a run's events tell of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tawny.history import Attempt, Event, fold

BEGIN = datetime(2026, 5, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def told(*facts: tuple[float, str, int] | tuple[float, str, int, dict[str, Any]]) -> list[Attempt]:
    """The attempts after these facts: seconds, kind, attempt, data."""
    return fold(Event(seq, kind, attempt, at(when), *data) for seq, (when, kind, attempt, *data) in enumerate(facts, 1))


def test_a_run_that_waits_has_no_attempt() -> None:
    assert told((0, "triggered", 0)) == []


def test_a_running_attempt_has_no_end() -> None:
    (attempt,) = told((0, "triggered", 0), (2.5, "started", 1, {"worker": "host:7"}))
    assert attempt == Attempt(1, "host:7", at(0), at(2.5))
    assert (attempt.waited_ms, attempt.ran_ms) == (2_500, None)


@pytest.mark.parametrize("outcome", ["completed", "failed", "cancelled"])
def test_an_attempt_ends_as_its_run_does(outcome: str) -> None:
    failure = {"error": "ValueError: no", "code": "handler_failed", "traceback": "Traceback …"}
    data = failure if outcome == "failed" else {}
    (attempt,) = told((0, "triggered", 0), (1, "started", 1), (4, outcome, 1, data))
    assert (attempt.outcome, attempt.ended_at, attempt.ran_ms) == (outcome, at(4), 3_000)
    assert (attempt.error, attempt.code, attempt.traceback) == tuple(data.get(name) for name in failure)


def test_the_wait_for_a_retry_begins_when_it_is_due() -> None:
    retrying = {"error": "no", "code": "handler_failed", "run_at": "2026-05-01T12:01:00.000Z"}
    first, second = told((0, "triggered", 0), (1, "started", 1), (2, "retrying", 1, retrying), (61, "started", 2))
    assert (first.outcome, first.error, first.ended_at) == ("retrying", "no", at(2))
    assert (second.due_at, second.waited_ms, second.outcome) == (at(60), 1_000, None)


def test_the_wait_after_a_release_begins_with_it() -> None:
    first, second = told((0, "triggered", 0), (1, "started", 1), (5, "released", 1), (7, "started", 2))
    assert (first.outcome, first.ran_ms, first.error) == ("released", 4_000, None)
    assert second.waited_ms == 2_000


def test_a_lost_attempt_says_why() -> None:
    lost = {"crashes": 1, "reason": "the worker died while this run was on it"}
    first, second = told((0, "triggered", 0), (1, "started", 1), (5, "lost", 1, lost), (7, "started", 2))
    assert (first.outcome, first.error) == ("lost", "Lost: the worker died while this run was on it.")
    assert second.due_at == at(5)


def test_an_attempt_whose_loss_ended_the_run_is_lost_and_says_why_the_run_failed() -> None:
    poisoned = {"error": "Given up after 3 crashes.", "code": "poisoned"}
    (attempt,) = told((0, "triggered", 0), (1, "started", 1), (5, "lost", 1, {"reason": "x"}), (5, "failed", 1, poisoned))
    assert (attempt.outcome, attempt.error, attempt.code) == ("lost", "Given up after 3 crashes.", "poisoned")


def test_a_lost_attempt_of_a_run_that_was_to_be_cancelled_is_lost() -> None:
    (attempt,) = told((0, "triggered", 0), (1, "started", 1), (5, "lost", 1, {"reason": "x"}), (5, "cancelled", 1))
    assert (attempt.outcome, attempt.error) == ("lost", "Lost: x.")


def test_a_late_release_says_that_a_lost_attempt_was_given_back_when_it_was_taken() -> None:
    lost = (5, "lost", 1, {"reason": "x"})
    first, second = told((0, "triggered", 0), (1, "started", 1), lost, (6, "released", 1), (9, "started", 2))
    assert (first.outcome, first.ended_at, first.error) == ("released", at(5), None)
    assert second.due_at == at(5)


def test_a_late_release_says_nothing_about_the_attempt_that_runs_by_then() -> None:
    lost = (5, "lost", 1, {"reason": "x"})
    first, second = told((0, "triggered", 0), (1, "started", 1), lost, (6, "started", 2), (7, "released", 1), (9, "completed", 2))
    assert (first.outcome, second.outcome, second.due_at, second.ran_ms) == ("released", "completed", at(5), 3_000)


def test_an_overdue_attempt_stays_marked() -> None:
    events = [(0, "triggered", 0), (1, "started", 1), (2, "cancel_requested", 1), (32, "overdue", 1), (40, "cancelled", 1)]
    (attempt,) = told(*events)
    assert (attempt.overdue, attempt.outcome, attempt.ran_ms) == (True, "cancelled", 39_000)


@pytest.mark.parametrize("ending", ["retrying", "released"])
def test_an_attempt_keeps_its_end_when_the_run_is_cancelled_while_it_waits(ending: str) -> None:
    (attempt,) = told((0, "triggered", 0), (1, "started", 1), (2, ending, 1), (8, "cancel_requested", 1), (8, "cancelled", 1))
    assert (attempt.outcome, attempt.ended_at) == (ending, at(2))


def test_a_clock_that_was_set_back_makes_no_negative_times() -> None:
    (attempt,) = told((9, "triggered", 0), (5, "started", 1), (1, "completed", 1))
    assert (attempt.waited_ms, attempt.ran_ms) == (0, 0)


# Any history that the statements can write


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """A run's events: attempts one after the other, each with a wait, notes on the way and an end; late releases in between."""
    events: list[Event] = []
    now = 0
    forgivable: set[int] = set()

    def leave(kind: str, attempt: int, **data: Any) -> None:
        nonlocal now
        now += draw(st.integers(0, 100))
        events.append(Event(len(events) + 1, kind, attempt, at(now), data))
        if forgivable and draw(st.booleans()):
            events.append(Event(len(events) + 1, "released", forgivable.pop(), at(now)))

    leave("triggered", 0)
    endings = draw(st.lists(st.sampled_from(["retrying", "released", "lost"]), max_size=6))
    last = draw(st.sampled_from(["completed", "failed", "cancelled", "lost for good", "running", "waiting"]))
    for number, ending in enumerate([*endings, *([last] if last != "waiting" else [])], 1):
        leave("started", number, worker=f"host:{number}")
        for note in draw(st.lists(st.sampled_from(["cancel_requested", "overdue"]), max_size=2, unique=True)):
            leave(note, number)
        match ending:
            case "retrying":
                leave("retrying", number, error="E", run_at=at(now).isoformat())
            case "lost":
                leave("lost", number, reason="R", crashes=1)
                forgivable.add(number)
            case "lost for good":
                leave("lost", number, reason="R", crashes=3)
                leave("failed", number, error="E", code="poisoned")
            case "running":
                pass
            case _:
                leave(ending, number)
    return events


@given(histories())
def test_each_start_is_one_attempt_and_only_the_last_can_be_running(events: list[Event]) -> None:
    attempts = fold(events)
    starts = [event for event in events if event.kind == "started"]
    assert [(a.number, a.started_at, a.worker) for a in attempts] == [(e.attempt, e.at, e.data["worker"]) for e in starts]
    assert all(a.outcome is not None and a.ended_at is not None for a in attempts[:-1])


@given(histories())
def test_attempts_and_waits_follow_each_other(events: list[Event]) -> None:
    attempts = fold(events)
    for attempt, later in pairwise(attempts):
        assert attempt.started_at <= attempt.ended_at <= later.started_at
        assert attempt.ended_at - timedelta(seconds=100) <= later.due_at <= later.started_at


@given(histories())
def test_a_lost_attempt_is_released_exactly_when_a_release_came_late(events: list[Event]) -> None:
    lost = {event.attempt for event in events if event.kind == "lost"}
    released = {event.attempt for event in events if event.kind == "released"}
    for attempt in fold(events):
        if attempt.number in lost:
            assert attempt.outcome == ("released" if attempt.number in released else "lost")


@given(histories(), st.data())
def test_without_the_older_events_the_newer_attempts_are_told_the_same(events: list[Event], data: st.DataObject) -> None:
    newest = events[data.draw(st.integers(0, len(events))) :]
    few = fold(newest)
    all_of_them = fold(events)[-len(few) :] if few else []
    assert few[1:] == all_of_them[1:]
    assert [a.number for a in few] == [a.number for a in all_of_them]
    assert all((a.outcome, a.ended_at) == (b.outcome, b.ended_at) for a, b in zip(few, all_of_them, strict=True))
