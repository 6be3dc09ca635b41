"""Workers that are killed, stopped and told to go: every run ends once, by the attempt that holds it."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from tests.commands import Serving, children
from tests.postgres import alive, eventually
from tests.walks.caller import Caller
from tests.walks.database import events_of, row_of
from tests.walks.house import DRAIN, LEASE, House

pytestmark = pytest.mark.walk

numbers = itertools.count(1)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return House(tmp_path_factory.mktemp("house"))


@pytest.fixture(scope="module")
def served(house: House) -> Iterator[Serving]:
    """A server without a worker of its own, which these tests share."""
    with house.serve("--no-worker") as serving:
        yield serving.wait_until_up(worker=False)


@pytest.fixture
def caller(served: Serving) -> Iterator[Caller]:
    with Caller.greeted_by(served) as first, first.in_project(served, f"walk-{next(numbers)}") as caller:
        yield caller


@pytest.fixture
def workers(house: House) -> Iterator[dict[int, Serving]]:
    """Two workers, by their pid."""
    with ExitStack() as running:
        started = [running.enter_context(house.work(name)) for name in ("one", "two")]
        yield {worker.wait_for("enlisted").process.pid: worker for worker in started}


def test_a_killed_worker_s_run_goes_on_elsewhere_from_its_checkpoint(
    house: House, caller: Caller, workers: dict[int, Serving], say: Callable[[str], None]
) -> None:
    run_id = caller.trigger("steps", count=40)
    first = house.ledger.wait_for(run_id, what="stepped", at_least=5)[0]
    killed = monotonic()
    os.kill(first["pid"], signal.SIGKILL)
    second = house.ledger.wait_for(run_id, what="started", at_least=2)[1]
    say(f"a killed worker's run went on after {second['at'] - killed:.2f} s, with a lease of {LEASE} s")
    assert second["at"] - killed < LEASE + 5
    assert second["pid"] in workers.keys() - {first["pid"]}
    assert second["done"] >= house.ledger.facts(run_id, what="stepped", attempt=first["attempt"])[-1]["step"]
    run = caller.ended(run_id)
    assert (run["status"], run["result"]) == ("completed", {"attempt": second["attempt"], "steps": 40})
    assert _steps(house, run_id, attempt=second["attempt"]) == list(range(second["done"] + 1, 41))
    assert row_of(house.state, run_id)["failures"] == 0


def _steps(house: House, run_id: str, **wanted: Any) -> list[int]:
    return [fact["step"] for fact in house.ledger.facts(run_id, what="stepped", **wanted)]


def test_a_killed_worker_takes_the_processes_of_its_runs_with_it(
    house: House, caller: Caller, workers: dict[int, Serving]
) -> None:
    run_id = caller.trigger("holds")
    first = house.ledger.wait_for(run_id, what="started")[0]
    worker = next(pid for pid in workers if first["pid"] in children(pid))
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: not alive(first["pid"]))
    second = house.ledger.wait_for(run_id, what="started", at_least=2)[1]
    assert second["pid"] in children((workers.keys() - {worker}).pop())
    caller.cancel(run_id)
    assert caller.ended(run_id)["status"] == "cancelled"
    assert not alive(second["pid"])


def test_fifty_runs_in_processes_of_their_own_leave_nothing_open(house: House, caller: Caller) -> None:
    with house.work("one", "--concurrency", "4") as worker:
        pid = worker.wait_for("enlisted").process.pid
        caller.ended(caller.trigger("short", number=0))
        before = _open_files(pid)
        made = [caller.trigger("short", number=number) for number in range(1, 51)]
        assert len({caller.ended(run_id)["result"]["pid"] for run_id in made}) == 50
        assert children(pid) == []
        eventually(lambda: _open_files(pid) == before)


def _open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_a_worker_that_was_stopped_past_its_lease_can_write_nothing(
    house: House, caller: Caller, workers: dict[int, Serving], tmp_path: Path, say: Callable[[str], None]
) -> None:
    gate = tmp_path / "gate"
    run_id = caller.trigger("stubborn", gate=str(gate))
    first = house.ledger.wait_for(run_id, what="started")[0]
    caller.sees(run_id, lambda run: run["progress"])
    stopped = monotonic()
    os.kill(first["pid"], signal.SIGSTOP)
    try:
        second = house.ledger.wait_for(run_id, what="started", at_least=2)[1]
    finally:
        os.kill(first["pid"], signal.SIGCONT)
    say(f"a stopped worker's run went on after {second['at'] - stopped:.2f} s")
    assert second["pid"] != first["pid"]

    house.ledger.wait_for(run_id, what="returned", attempt=first["attempt"])
    refused = house.ledger.facts(run_id, what="refused", attempt=first["attempt"])
    assert [fact["call"] for fact in refused] == ["progress", "checkpoint", "cancelled", "track"]
    assert house.ledger.facts(run_id, what="accepted") == []

    eventually(lambda: row_of(house.state, run_id)["crashes"] == 0)  # it had not crashed after all
    gate.touch()
    run = caller.ended(run_id)
    assert (run["status"], run["result"]) == ("completed", {"attempt": second["attempt"]})
    assert run["progress"]["message"] == f"attempt {second['attempt']}"
    assert row_of(house.state, run_id)["checkpoint"] is None
    assert events_of(house.state, run_id) == ["triggered", "started", "lost", "started", "released", "completed"]
    assert workers[first["pid"]].err.count("enlisted") == 2  # it works again, under another id


def test_a_worker_that_is_told_to_go_gives_its_run_back_at_once(
    house: House, caller: Caller, workers: dict[int, Serving], say: Callable[[str], None]
) -> None:
    run_id = caller.trigger("steps", count=10_000)
    first = house.ledger.wait_for(run_id, what="stepped", at_least=3)[0]
    told = monotonic()
    os.kill(first["pid"], signal.SIGTERM)
    second = house.ledger.wait_for(run_id, what="started", at_least=2)[1]
    say(f"a run that outlasted a drain of {DRAIN} s went on {second['at'] - told:.2f} s after SIGTERM")
    assert second["at"] - told < DRAIN + 2
    assert workers[first["pid"]].ended() == 0
    assert second["done"] >= _steps(house, run_id, attempt=first["attempt"])[-1]
    row = row_of(house.state, run_id)
    assert (row["crashes"], row["failures"]) == (0, 0)
    caller.cancel(run_id)
    assert caller.ended(run_id)["status"] == "cancelled"
    assert events_of(house.state, run_id)[:4] == ["triggered", "started", "released", "started"]


def test_a_run_that_kills_its_worker_is_given_up_while_its_neighbours_complete(
    tmp_path: Path, say: Callable[[str], None]
) -> None:
    house = House(tmp_path)
    with house.serve() as serving, Caller.greeted_by(serving.wait_until_up()) as caller:
        neighbours = [caller.trigger(f"neighbour_{number}", count=30) for number in range(3)]
        for run_id in neighbours:
            house.ledger.wait_for(run_id, what="stepped")
        poison = caller.trigger("poison")
        run = caller.ended(poison)
        assert (run["status"], run["result"]) == ("failed", None)
        assert run["error"] == "Given up after 3 crashes: its process exited with code 66."
        assert serving.err.count("the worker has ended and is started again") == 2, "the third crash cost no worker"
        assert row_of(house.state, poison)["error_code"] == "poisoned"
        started = house.ledger.facts(poison, what="started")
        assert len(started) == len({fact["pid"] for fact in started}) == 3
        say(f"a run that kills its worker was given up {monotonic() - started[0]['at']:.2f} s after its first start")
        for run_id in neighbours:
            assert caller.ended(run_id)["status"] == "completed"
            # A worker may die between a checkpoint and the note of its step: then the next attempt begins after that step.
            saved = {fact["done"] for fact in house.ledger.facts(run_id, what="started")} - {0}
            assert saved | set(_steps(house, run_id)) == set(range(1, 31))


def test_kill_9_of_the_server_loses_no_run(tmp_path: Path, say: Callable[[str], None]) -> None:
    house = House(tmp_path)
    with house.serve() as serving, Caller.greeted_by(serving.wait_until_up()) as caller:
        running = caller.trigger("steps", count=40)
        house.ledger.wait_for(running, what="stepped", at_least=5)
        serving.look_at_family()
        answered = caller.trigger("neighbour_0", count=3)
        serving.process.kill()
    restarted = monotonic()
    with house.serve() as again, caller.at(again.wait_until_up()) as caller:
        say(f"a server that was killed was up again after {monotonic() - restarted:.2f} s")
        assert caller.ended(answered)["result"]["steps"] == 3
        assert caller.ended(running)["result"]["steps"] == 40
        started = house.ledger.facts(running, what="started")
        assert started[-1]["done"] >= _steps(house, running, attempt=started[0]["attempt"])[-1]
        say(f"and had completed both runs after {monotonic() - restarted:.2f} s")
