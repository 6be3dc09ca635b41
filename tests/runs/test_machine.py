"""Whatever is asked of the room, in whatever order, its rows are what the model says; and what is broken on purpose is seen."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
import uvloop
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.runs.machine import Machine

from tawny.db.pool import Connection, connect
from tawny.runs.statements import queries

OFTEN = """
trigger made, trigger conflict, claim some, advance, flush in time, flush stale, checkpoint stale, finish in time, finish stale,
release in time, release stale, take_back in time, take_back stale, cancel refused
"""
SELDOM = """
trigger misused, trigger replayed, trigger_in_deleted_project not found, trigger_as_agent made, trigger_with_revoked_key,
retry made, retry not_ended, retry conflict, retry not found, cancel asked, cancel asked before, cancel ended, cancel_many,
claim none, claim_seated some, claim_seated none, beat, beat lost, enlist, depart leaves, depart leaves without knowing,
depart crashes, reap some, reap none, advance overnight, checkpoint in time, commit, commit stale, overdue in time, overdue stale,
finish completed, finish failed, finish retrying, finish cancelled, release forgiven, new_project, delete_project,
delete_project ended, delete_project asked, delete_project asked before, new_agent, revoke, ended completed, ended failed,
ended cancelled, poisoned
"""


@contextmanager
def connected(url: str) -> Iterator[tuple[asyncio.AbstractEventLoop, Connection]]:
    """A loop that stays open over all examples, and a connection in it."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        conn = runner.run(connect(url))
        try:
            yield runner.get_loop(), conn
        finally:
            runner.run(conn.close())


def drive(url: str, *, examples: int, steps: int, shrink: bool = True) -> Counter[str]:
    """Let the machine run, and count its steps, and what rules it took with what outcome."""
    taken: Counter[str] = Counter()
    how = settings(
        max_examples=examples,
        stateful_step_count=steps,
        phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
        report_multiple_bugs=False,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    with connected(url) as (loop, conn):
        run_state_machine_as_test(partial(Machine, loop, conn, taken), settings=how)
    print(f"{taken['steps']} steps: {dict(sorted(taken.items()))}")
    return taken


def never(outcomes: str, taken: Counter[str]) -> set[str]:
    return {outcome.strip() for outcome in outcomes.split(",")} - taken.keys()


@pytest.mark.slow
def test_a_short_walk_finds_all_as_the_model_says(database_url: str) -> None:
    taken = drive(database_url, examples=50, steps=30)
    assert taken["steps"] > 700
    assert not never(OFTEN, taken)


@pytest.mark.walk
def test_a_long_walk_finds_all_as_the_model_says(database_url: str) -> None:
    """As many steps as 300 examples of 50 have: a third of the examples are cut short by how Hypothesis varies them."""
    taken = drive(database_url, examples=500, steps=50)
    assert taken["steps"] > 12_000
    assert not never(OFTEN, taken) | never(SELDOM, taken)


# What the machine has to see: a part of a statement that is lost, and what is there in its place


FENCE = ("and r.attempt = f.attempt", "")
WRONG = [
    ("finish", *FENCE),
    ("flush", *FENCE),
    ("save_checkpoints", "and r.attempt = c.attempt", ""),
    ("overdue", "and r.attempt = o.attempt", ""),
    ("release", "and r.attempt = h.attempt", ""),
    ("release", "r.cancel_requested_at", "null::timestamptz"),
    ("take_back", "and r.attempt = l.attempt", ""),
    ("take_back", "crashes = lost.crashes,", ""),
    ("take_back", "when r.cancel_requested_at is not null then 'cancelled'", ""),
    ("save_checkpoints", ", crashes = 0", ""),
    ("forgive", "where l.nth <= l.crashes", ""),
    ("renew", "and leased_until > clock_timestamp()", ""),
    ("claim", "and w.leased_until > clock_timestamp()", ""),
    ("claim", "and r.run_at <= now()", ""),
    ("claim_seated", "and r.status = 'running'", "and false"),
    ("lock_dead_workers", "w.leased_until < clock_timestamp()", "w.leased_until < clock_timestamp() + interval '1 minute'"),
    ("cancel", "and r.cancel_requested_at is null", ""),
    ("first_answer", "interval '24 hours'", "interval '24 days'"),
    ("trigger", "and p.deleted_at is null", ""),
    ("active_runs_of_project", "and outcome is null", "and outcome is null and status = 'pending'"),
    ("active_runs_of_project", "project_id = $2", "$2::uuid is not null"),
]


@pytest.mark.walk
@pytest.mark.parametrize(("name", "right", "wrong"), WRONG)
def test_the_machine_sees_a_statement_that_is_wrong(
    database_url: str, monkeypatch: pytest.MonkeyPatch, name: str, right: str, wrong: str
) -> None:
    spoil(monkeypatch, name, right, wrong)
    with pytest.raises(AssertionError):
        drive(database_url, examples=500, steps=50, shrink=False)


@pytest.mark.walk
def test_the_machine_sees_that_two_active_runs_share_a_slot(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch, "trigger", "on conflict (team_id, job_type, project_id, unique_key) where outcome is null do nothing", "")
    with without_index(database_url, "job_runs_one_active"), pytest.raises(AssertionError):
        drive(database_url, examples=500, steps=50, shrink=False)


def spoil(monkeypatch: pytest.MonkeyPatch, name: str, right: str, wrong: str) -> None:
    sql = queries.all[name].sql
    assert right in sql
    monkeypatch.setattr(queries.all[name], "sql", sql.replace(right, wrong))


@contextmanager
def without_index(url: str, name: str) -> Iterator[None]:
    """The database without this index; what is in `job_runs` then is deleted with its coming back."""
    with connected(url) as (loop, conn):
        made = loop.run_until_complete(conn.fetchval("select indexdef from pg_indexes where indexname = $1", name))
        loop.run_until_complete(conn.execute(f"drop index {name}"))
        yield
        loop.run_until_complete(conn.execute(f"delete from job_runs; {made}"))
