"""Two workers, and schedules that are due each minute, the finest there is: each due time starts one run, whoever is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
from tests.commands import Serving
from tests.postgres import eventually
from tests.walks.caller import Caller
from tests.walks.house import House

pytestmark = pytest.mark.walk

PROJECTS = 5
A_MINUTE = 70.0


def each_has(callers: dict[str, Caller], ticks: int) -> Callable[[], bool]:
    return lambda: all(len(caller.ticks(schedule_id)) >= ticks for schedule_id, caller in callers.items())


def test_each_minute_starts_one_run_of_each_schedule_also_after_a_worker_was_killed(
    tmp_path: Path, say: Callable[[str], None]
) -> None:
    house = House(tmp_path)
    with ExitStack() as running:
        served = running.enter_context(house.serve("--no-worker")).wait_until_up(worker=False)
        first, _ = (running.enter_context(house.work(name)).wait_for("enlisted") for name in ("one", "two"))
        callers = _schedules(running, served)
        eventually(each_has(callers, 1), A_MINUTE)
        os.kill(first.process.pid, signal.SIGKILL)
        eventually(each_has(callers, 2), A_MINUTE)
        latest = max(_lateness(tick) for schedule_id, caller in callers.items() for tick in caller.ticks(schedule_id))
        say(f"due times of {PROJECTS} schedules were decided {latest:.2f} s late at most")
        assert latest < 2
        for schedule_id, caller in callers.items():
            _was_started_each_time(caller, schedule_id)


def _schedules(running: ExitStack, served: Serving) -> dict[str, Caller]:
    greeted = running.enter_context(Caller.greeted_by(served))
    callers = [running.enter_context(greeted.in_project(served, f"minutely-{number}")) for number in range(PROJECTS)]
    return {caller.schedule("steps", "* * * * *", count=1): caller for caller in callers}


def _lateness(tick: dict[str, str]) -> float:
    return (datetime.fromisoformat(tick["decided_at"]) - datetime.fromisoformat(tick["due_at"])).total_seconds()


def _was_started_each_time(caller: Caller, schedule_id: str) -> None:
    ticks = caller.ticks(schedule_id)
    assert {tick["decision"] for tick in ticks} == {"started"}
    due = [datetime.fromisoformat(tick["due_at"]) for tick in reversed(ticks)]
    assert [(later - sooner).total_seconds() for sooner, later in pairwise(due)] == [60.0] * (len(due) - 1)
    eventually(lambda: {run["status"] for run in caller.runs()} == {"completed"})
    runs = caller.runs()
    assert {run["id"] for run in runs} == {tick["run_id"] for tick in ticks}
    assert {run["triggered_by"] for run in runs} == {"schedule"}
