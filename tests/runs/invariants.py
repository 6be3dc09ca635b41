"""What is true of every run at every moment, whoever did what to it in whichever order."""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby
from typing import Any

from tawny.db.pool import Connection
from tawny.runs import OUTCOMES

_LEADS_TO = {
    ("none", "triggered"): "pending",
    ("pending", "started"): "running",
    ("running", "released"): "pending",
    ("running", "retrying"): "pending",
    ("running", "lost"): "pending",
    ("running", "completed"): "completed",
    ("running", "failed"): "failed",
    ("running", "cancelled"): "cancelled",
    ("running", "cancel_requested"): "running",
    ("running", "overdue"): "running",
    ("pending", "cancel_requested"): "pending",
    # The second fact of a statement that left two: a run that was lost for good, or was cancelled while it was pending.
    ("pending", "failed"): "failed",
    ("pending", "cancelled"): "cancelled",
}


async def check(conn: Connection) -> None:
    """Each run moved along the graph of statuses, ended at most once, was written by its own attempt only, and is counted."""
    rows = {row["id"]: row for row in await conn.fetch("select * from job_runs")}
    events = await conn.fetch("select run_id, seq, kind, attempt from run_events order by run_id, seq")
    for run_id, facts in groupby(events, key=lambda event: event["run_id"]):
        _check_history(rows.pop(run_id), list(facts))
    assert not rows, "a run without facts"
    await _check_slots(conn)
    await _check_totals(conn)


def _check_history(row: Any, facts: list[Any]) -> None:
    kinds = [fact["kind"] for fact in facts]
    assert [fact["seq"] for fact in facts] == list(range(1, row["last_seq"] + 1)), kinds
    assert sum(kind in OUTCOMES for kind in kinds) == (row["status"] in OUTCOMES), kinds
    status, attempt, lost = "none", 0, set()
    for fact in facts:
        if fact["kind"] == "released" and fact["attempt"] in lost:
            lost.remove(fact["attempt"])  # a crash is forgiven, once, whatever the run does meanwhile
            continue
        assert (status, fact["kind"]) in _LEADS_TO, kinds
        status = _LEADS_TO[status, fact["kind"]]
        attempt += fact["kind"] == "started"
        assert fact["attempt"] == attempt, f"a stale write: {kinds}"
        lost |= {attempt} if fact["kind"] == "lost" else set()
    assert (status, attempt) == (row["status"], row["attempt"]), kinds
    assert row["crashes"] in (0, len(lost)), f"each crash is charged once, and forgiven once: {kinds}"


async def _check_slots(conn: Connection) -> None:
    taken = await conn.fetch("select team_id, job_type, project_id, unique_key from job_runs where outcome is null")
    assert len({tuple(row) for row in taken}) == len(taken), "two runs are active in one slot"


async def _check_totals(conn: Connection) -> None:
    counted: dict[tuple[str, str], int] = defaultdict(int)
    for row in await conn.fetch("select job_type, outcome, runs from run_totals"):
        counted[row["job_type"], row["outcome"]] += row["runs"]
    ended = await conn.fetch("select job_type, outcome, count(*) as runs from job_runs where outcome is not null group by 1, 2")
    assert {(row["job_type"], row["outcome"]): row["runs"] for row in ended} == dict(counted), "each end is counted once"
