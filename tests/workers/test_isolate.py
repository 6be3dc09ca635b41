"""A run in a process of its own is like any other to its author, and what it does to the process costs nobody else."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from uuid import UUID

import pytest
from tests.postgres import alive
from tests.waiting import until
from tests.workers import isolated_author

from tawny import runs
from tawny.db.ids import uuid7
from tawny.runs import Claimed
from tawny.workers import conversation
from tawny.workers.attempt import Attempt
from tawny.workers.child import Child
from tawny.workers.isolate import Isolation
from tawny.workers.lease import Lease, now

pytestmark = pytest.mark.walk

HERE = "tests.workers.isolated_author"
ADDRESS = f"{HERE}:app"


@pytest.fixture
def floor(floor, monkeypatch: pytest.MonkeyPatch):
    """The app of `isolated_author`, where processes find it as well."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    floor.app = isolated_author.app
    return floor


async def _lines(floor, run_id: UUID) -> list[tuple[int, str, str | None]]:
    rows = await floor.conn.fetch("select level, message, fields from run_logs where run_id = $1 order by seq", run_id)
    return [tuple(row) for row in rows]


async def _pid(floor, run_id: UUID) -> int:
    """The process of a run, once that has told."""

    async def told() -> str | None:
        return json.loads((await floor.row(run_id))["progress"] or "{}").get("message")

    return int(str(await until(told, f"the process of run {run_id}")))


async def _reasons(floor, run_id: UUID) -> list[str]:
    """Why its attempts were lost."""
    rows = await floor.conn.fetch("select data from run_events where run_id = $1 and kind = 'lost' order by seq", run_id)
    return [json.loads(row["data"])["reason"] for row in rows]


@pytest.mark.parametrize("job_type", ["tells", "tells_plainly"])
async def test_a_handler_has_all_that_it_has_elsewhere(floor, job_type: str) -> None:
    async with floor.working(address=ADDRESS):
        run_id = await floor.trigger(job_type, month="2026-01", count="3")
        row = await floor.ended(run_id)
    result = json.loads(row["result"])
    assert (row["status"], row["error"]) == ("completed", None)
    assert (result["month"], result["count"], result["attempt"], result["same_project"]) == ("2026-01", 3, 1, True)
    assert result["parent"] == os.getpid()
    assert result["opened_by"] == result["pid"] != os.getpid()
    assert json.loads(row["progress"]) == {"processed": 2, "total": 2, "message": "half"}
    assert await _lines(floor, run_id) == [(20, "Told", '{"count": 3}'), (20, "closed", '{"stream": "stdout"}')]
    assert not alive(result["pid"])
    assert floor.url not in result["command_line"]
    assert "postgres" not in result["command_line"]


async def test_progress_and_a_cancel_pass_while_a_handler_blocks_its_loop(floor) -> None:
    async with floor.working(address=ADDRESS):
        run_id = await floor.trigger("blocks")
        await _pid(floor, run_id)
        seen = json.loads((await floor.row(run_id))["progress"])["processed"]

        async def moved() -> bool:
            return json.loads((await floor.row(run_id))["progress"])["processed"] > seen

        await until(moved, "more progress")
        await runs.cancel(floor.conn, floor.actor, run_id)
        row = await floor.ended(run_id)
    assert row["status"] == "cancelled"
    assert json.loads(row["result"])["looks"] == json.loads(row["progress"])["processed"] > seen


async def test_a_run_whose_process_is_killed_goes_on_from_its_checkpoint_at_once(floor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tawny.workers.control.POLL", 600.0)
    run_id, plainly = await floor.trigger("resumes"), await floor.trigger("resumes_plainly")
    async with floor.working(address=ADDRESS):
        row, plain = await floor.ended(run_id), await floor.ended(plainly)
    result = json.loads(row["result"])
    assert (row["status"], row["crashes"], row["failures"]) == ("completed", 1, 0)
    assert (result["attempt"], result["checkpointed"]) == (2, json.loads(row["checkpoint"]))
    assert await _reasons(floor, run_id) == ["its process was killed by SIGKILL, perhaps for lack of memory"]
    assert (20, "saved", None) in await _lines(floor, run_id), "what was logged last is not lost"
    assert json.loads(plain["checkpoint"]) == json.loads(plain["result"])["checkpointed"] == {"step": 19}


async def test_a_crash_costs_only_its_run(floor) -> None:
    async with floor.working(address=ADDRESS):
        crashing = {name: await floor.trigger(name) for name in ("segfaults", "exits")}
        failing = {name: await floor.trigger(name) for name in ("leaves", "devours")}
        neighbours = [await floor.trigger("neighbour"), await floor.trigger("at_home")]
        crashed = {name: await floor.ended(run_id) for name, run_id in crashing.items()}
        failed = {name: await floor.ended(run_id) for name, run_id in failing.items()}
        assert [(await floor.ended(run_id))["status"] for run_id in neighbours] == ["completed"] * 2
    assert {row["error_code"] for row in crashed.values()} == {"poisoned"}
    assert crashed["segfaults"]["error"] == "Given up after 3 crashes: its process was killed by SIGSEGV."
    assert crashed["exits"]["error"] == "Given up after 3 crashes: its process exited with code 3."
    assert failed["leaves"]["error"] == "SystemExit: leaving"
    assert str(failed["devours"]["error"]).startswith("MemoryError")
    assert {row["crashes"] for row in failed.values()} == {0}
    told = "\n".join(message for _, message, _ in await _lines(floor, crashing["segfaults"]))
    assert "Segmentation fault" in told
    assert "in segfaults" in told, "the place in the author's code"


async def test_a_run_that_crashed_twice_is_alone_whatever_its_type_says(floor) -> None:
    run_id = await floor.trigger("at_home")
    await floor.conn.execute("update job_runs set crashes = 2 where id = $1", run_id)
    async with floor.working(address=ADDRESS):
        row = await floor.ended(run_id)
    assert json.loads(row["result"])["pid"] != os.getpid()


async def test_without_an_address_runs_share_the_worker_s_process(floor) -> None:
    async with floor.working():
        row = await floor.ended(await floor.trigger("at_home"))
    assert json.loads(row["result"])["pid"] == os.getpid()


async def test_what_is_printed_becomes_lines_of_the_log(floor) -> None:
    async with floor.working(address=ADDRESS):
        run_id = await floor.trigger("prints")
        await floor.ended(run_id)
    lines = await _lines(floor, run_id)
    out = [message for level, message, fields in lines if (level, fields) == (20, '{"stream": "stdout"}')]
    err = [message for level, message, fields in lines if (level, fields) == (30, '{"stream": "stderr"}')]
    assert err == ["to stderr", "from C"]
    assert out[:3] == ["from print", "\ufffd from a descriptor", "from a grandchild"]
    assert len(out[3].encode()) == 10_240
    assert out[3].endswith("x… (cut)")
    assert out[4:] == ["after it", "without an end, closed"]


async def test_lines_beyond_the_limit_are_counted(floor) -> None:
    async with floor.working(address=ADDRESS):
        run_id = await floor.trigger("chats", lines=10_005)
        row = await floor.ended(run_id)
    assert (row["log_lines"], row["logs_dropped"]) == (10_000, 6), "5 of its own, and what it printed at its end"


async def test_what_a_run_leaves_behind_does_not_hold_up_its_end(floor) -> None:
    async with floor.working(address=ADDRESS):
        row = await floor.ended(await floor.trigger("begets"))
    left = json.loads(row["result"])
    assert row["status"] == "completed"
    assert alive(left["stranger"])
    os.kill(left["stranger"], signal.SIGKILL)

    async def gone() -> bool:
        return not alive(left["child"])

    await until(gone, "the end of its child")


async def test_a_process_that_ignores_a_cancel_is_killed_after_its_grace(floor) -> None:
    async with floor.working(address=ADDRESS):
        run_id = await floor.trigger("deaf")
        pid = await _pid(floor, run_id)
        await runs.cancel(floor.conn, floor.actor, run_id)
        row = await floor.ended(run_id)
        assert not alive(pid)
    assert (row["status"], row["error"], row["crashes"]) == ("cancelled", None, 0)
    assert json.loads(row["progress"])["processed"] == 1


@pytest.mark.parametrize("job_type", ["spins", "spins_plainly"])
async def test_a_process_that_takes_too_long_is_killed(floor, job_type: str) -> None:
    async with floor.working(address=ADDRESS):
        run_id = await floor.trigger(job_type)
        row = await floor.ended(run_id)
    assert (row["status"], row["error_code"], row["crashes"]) == ("failed", "timeout", 0)
    assert row["error"] == "This attempt took longer than its timeout of 0.2 seconds."
    assert await _lines(floor, run_id) == [(20, "spinning", None)], "the time of its start does not count"


@pytest.fixture
async def months(floor):
    """A table of the author's own."""
    await floor.conn.execute("create table months (month text)")
    yield
    await floor.conn.execute("drop table months")


@pytest.mark.usefixtures("months")
async def test_a_transaction_commits_while_the_attempt_has_its_run_and_not_otherwise(floor, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with floor.working(address=ADDRESS):
        kept, lost = [await floor.trigger("writes", gate=str(gate)) for _ in range(2)]
        pid = (await _pid(floor, kept), await _pid(floor, lost))[1]
        await floor.conn.execute("update job_runs set attempt = attempt + 1 where id = $1", lost)
        gate.touch()
        assert (await floor.ended(kept))["checkpoint"] == '"written"'

        async def gone() -> bool:
            return not alive(pid)

        await until(gone, "the end of the process that lost its run")
    assert [row["month"] for row in await floor.conn.fetch("select month from months")] == [str(kept)]
    assert (await floor.row(lost))["checkpoint"] is None


async def test_a_process_whose_worker_lost_the_lease_is_killed_and_its_run_goes_on_uncharged(floor) -> None:
    async with floor.working(address=ADDRESS):
        run_id = await floor.trigger("outlasts")

        async def saved() -> object:
            return (await floor.row(run_id))["checkpoint"]

        await until(saved, "the checkpoint")
        await floor.conn.execute("update workers set leased_until = now() - interval '1 second'")
        row = await floor.ended(run_id)
    assert (row["status"], row["crashes"]) == ("completed", 0)
    assert json.loads(row["result"])["attempt"] >= 2
    assert "released" in await floor.facts(run_id), "also where a reaper was faster, and its charge is forgiven"


async def test_a_renewal_that_comes_after_the_kill_charges_no_crash(floor, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = Lease(uuid7(), 60.0, now())
    attempt = Attempt(Claimed(uuid7(), 1, "deaf", None, None, None, None, None, None), lease, save=lambda _: None)
    kill = Child.kill

    def kill_and_renew(child: Child) -> None:
        kill(child)
        lease.renewed(now())

    monkeypatch.setattr(Child, "kill", kill_and_renew)
    running = asyncio.create_task(asyncio.to_thread(Isolation(ADDRESS, floor.url).run, floor.app.jobs["deaf"], attempt))

    async def began() -> object:
        return attempt.entered_at

    await until(began, "the beginning of its handler")
    lease.end()
    assert await running is None


async def test_a_stopping_worker_waits_for_its_processes(floor, tmp_path: Path) -> None:
    run_id = await floor.trigger("awaits", gate=str(tmp_path / "gate"))
    worker = floor.worker(drain=30.0, address=ADDRESS)
    working = asyncio.create_task(worker.run())
    await _pid(floor, run_id)
    worker.stop()
    (tmp_path / "gate").touch()
    assert await working is True
    assert (await floor.row(run_id))["status"] == "completed"


async def test_a_process_that_outlasts_the_drain_is_dead_before_its_run_is_given_back(
    floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await floor.trigger("deaf")
    was_alive: list[bool] = []

    class Watched:
        def __getattr__(self, name: str):
            return getattr(runs, name)

        async def leave(self, *given) -> None:
            was_alive.append(alive(pid))
            await runs.leave(*given)

    worker = floor.worker(drain=0.0, address=ADDRESS)
    working = asyncio.create_task(worker.run())
    pid = await _pid(floor, run_id)
    monkeypatch.setattr("tawny.workers.control.runs", Watched())
    worker.stop()
    assert await working is False
    assert was_alive == [False]
    row = await floor.row(run_id)
    assert (row["status"], row["crashes"], row["failures"]) == ("pending", 0, 0)


@pytest.mark.parametrize(
    ("address", "error"),
    [
        (f"{HERE}_not:app", f'The module "{HERE}_not" of the app was not found'),
        (f"{HERE}:empty", f'The app {HERE}:empty has no job type "neighbour" any more.'),
        (f"{HERE}:closed", "The lifespan of the app failed at its start: ConnectionError: the cache is away"),
    ],
)
async def test_an_app_that_cannot_be_opened_fails_the_run_with_a_sentence(floor, address: str, error: str) -> None:
    async with floor.working(address=address):
        row = await floor.ended(await floor.trigger("neighbour"))
    assert (row["status"], row["error_code"], row["crashes"]) == ("failed", "process_failed", 0)
    assert str(row["error"]).startswith(error)


async def test_an_app_that_does_not_come_to_its_handler_fails_the_run(floor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "READY", 0.0)
    async with floor.working(address=ADDRESS):
        row = await floor.ended(await floor.trigger("neighbour"))
    assert (row["status"], row["error_code"]) == ("failed", "process_failed")
    assert str(row["error"]).startswith("Its process was not ready within 0 seconds")


async def test_a_process_that_cannot_be_started_fails_the_run(floor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    async with floor.working(address=ADDRESS):
        row = await floor.ended(await floor.trigger("neighbour"))
    assert row["error"] == "A process for this run could not be started: No such file or directory."
