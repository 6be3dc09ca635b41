"""Handlers may do what they like: each run ends as it should, and no neighbour is the worse for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest
from tests.commands import command_line
from tests.walks.caller import Caller
from tests.walks.database import events_of, row_of
from tests.walks.house import House

pytestmark = pytest.mark.walk

NEIGHBOURS = 100

# The last of a run's three crashes may be that of a neighbour who took the worker down.
WITH_ITS_WORKER = "Given up after 3 crashes: the worker died while this run was on it."

# How each ends: status, code, and how its error begins.
ENDS: dict[str, tuple[str, str | None, str | tuple[str, ...]]] = {
    "raises_base_exception": ("failed", "handler_failed", "NotEvenAnException: out of the ordinary"),
    "raises_base_exception_in_a_thread": ("failed", "handler_failed", "NotEvenAnException: out of the ordinary"),
    "exits": ("failed", "handler_failed", "SystemExit: 3"),
    "exits_in_a_thread": ("failed", "handler_failed", "SystemExit: 3"),
    "interrupts": ("failed", "handler_failed", "KeyboardInterrupt"),
    "cancels_itself": ("failed", "handler_failed", "CancelledError"),
    "stops_iterating": ("failed", "handler_failed", "StopIteration"),
    "recurses": ("failed", "handler_failed", "RecursionError"),
    "cannot_say_why": ("failed", "handler_failed", "Unprintable: (Unprintable without a readable text)"),
    "says_nul": ("failed", "handler_failed", "nul \ufffd, half a pair \ufffd, \ufffd[31mred\ufffd[0m and Bcc:\nx"),
    "says_ten_megabytes": ("failed", "handler_failed", "ValueError: xxx"),
    "returns_nan": ("failed", "result_not_serialisable", "JSON cannot hold nan"),
    "returns_a_cycle": ("failed", "result_not_serialisable", "The result contains itself"),
    "returns_five_megabytes": ("failed", "result_not_serialisable", "The result is larger than 1 MiB"),
    "returns_bytes": ("failed", "result_not_serialisable", "JSON cannot hold a bytes"),
    "swallows_cancellation": ("failed", "timeout", "This attempt took longer than its timeout"),
    "blocks_for_ever": ("failed", "timeout", "This attempt took longer than its timeout"),
    "blocks_its_loop": ("completed", None, ""),
    "never_ends": ("failed", "timeout", "This attempt took longer than its timeout"),
    "leaves_threads": ("completed", None, ""),
    "leaves_a_process": ("completed", None, ""),
    "floods_its_log": ("completed", None, ""),
    "dies": ("failed", "poisoned", ("Given up after 3 crashes: its process exited with code 7.", WITH_ITS_WORKER)),
    "crashes": ("failed", "poisoned", ("Given up after 3 crashes: its process was killed by SIGSEGV.", WITH_ITS_WORKER)),
    "eats_memory": ("failed", "handler_failed", "MemoryError"),
    "takes_its_worker_down": ("failed", "poisoned", "Given up after 3 crashes: its process exited with code 66."),
}


def test_whatever_handlers_do_each_run_ends_as_it_should_and_all_neighbours_finish(
    tmp_path: Path, say: Callable[[str], None]
) -> None:
    house = House(tmp_path, "misbehaving")
    with house.serve() as serving, Caller.greeted_by(serving.wait_until_up()) as caller:
        began = monotonic()
        neighbours = [caller.trigger("neighbour", number=number) for number in range(NEIGHBOURS)]
        misbehaving = {job_type: caller.trigger(job_type) for job_type in ENDS}
        for job_type, (status, code, error) in ENDS.items():
            run = caller.ended(misbehaving[job_type])
            row = row_of(house.state, misbehaving[job_type])
            assert (job_type, run["status"], row["error_code"]) == (job_type, status, code), run
            assert (run["error"] or "").startswith(error), run
            assert len((run["error"] or "").encode()) <= 10_240
        ended = [caller.ended(run_id) for run_id in neighbours]
        assert [run["result"] for run in ended] == [{"number": number} for number in range(NEIGHBOURS)]
        say(f"{len(ENDS)} misbehaving handlers and {NEIGHBOURS} neighbours had ended after {monotonic() - began:.1f} s")

        crashes = [row_of(house.state, run_id)["failures"] for run_id in neighbours]
        assert crashes == [0] * NEIGHBOURS, "what a neighbour does is no failure of theirs"
        for job_type in ("swallows_cancellation", "blocks_for_ever"):
            assert events_of(house.state, misbehaving[job_type])[-1] == "failed"
        in_place = house.ledger.facts(misbehaving["takes_its_worker_down"], what="began")
        assert len({fact["pid"] for fact in in_place}) == 3
        assert "work" in command_line(serving.worker), "a worker is there for whatever comes next"
        assert caller.ended(caller.trigger("neighbour", number=0))["status"] == "completed"
