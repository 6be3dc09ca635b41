"""What handlers log is kept with the run, in order, within its limits, and before the run has ended."""

from __future__ import annotations

import asyncio
import json
import threading
from datetime import UTC, datetime, timedelta

from tests.waiting import until

from tawny import Run
from tawny.db.ids import uuid7
from tawny.runs import Claimed
from tawny.workers import log_buffer
from tawny.workers.log_buffer import LogBuffer


async def _lines(floor, run_id) -> list[tuple]:
    rows = await floor.conn.fetch(
        "select seq, attempt, level, message, fields from run_logs where run_id = $1 order by seq", run_id
    )
    return [tuple(row) for row in rows]


async def test_lines_are_there_when_the_run_has_ended(floor) -> None:
    @floor.app.job("talks")
    async def talks(run: Run) -> None:
        run.log.info("Begun", rows=3)
        run.log.error("Broken")

    async with floor.working():
        run_id = await floor.trigger("talks")
        await floor.ended(run_id)
    assert await _lines(floor, run_id) == [(1, 1, 20, "Begun", '{"rows": 3}'), (2, 1, 40, "Broken", None)]


async def test_lines_are_seen_while_the_run_runs(floor) -> None:
    go_on = threading.Event()

    @floor.app.job("talks")
    def talks(run: Run) -> None:
        run.log.info("Begun")
        go_on.wait(10)

    async with floor.working():
        run_id = await floor.trigger("talks")

        async def seen() -> object:
            return await _lines(floor, run_id)

        await until(seen, "the line")
        assert (await floor.row(run_id))["status"] == "running"
        go_on.set()
        await floor.ended(run_id)
    logged_at = await floor.conn.fetchval("select logged_at from run_logs where run_id = $1", run_id)
    assert abs(datetime.now(UTC) - logged_at) < timedelta(minutes=1)


async def test_more_lines_than_one_statement_takes_are_all_stored_before_the_end(floor) -> None:
    @floor.app.job("chatty")
    async def chatty(run: Run) -> None:
        for n in range(5_500):
            run.log.debug(f"line {n}")

    async with floor.working():
        run_id = await floor.trigger("chatty")
        row = await floor.ended(run_id)
    lines = await _lines(floor, run_id)
    assert [line[3] for line in lines] == [f"line {n}" for n in range(5_500)]
    assert (row["log_lines"], row["logs_dropped"]) == (5_500, 0)


async def test_what_is_beyond_the_limits_of_a_run_is_counted_over_all_its_attempts(floor) -> None:
    @floor.app.job("floods", retries=1)
    async def floods(run: Run) -> None:
        for n in range(6_000):
            run.log.info(f"line {n} of attempt {run.attempt}")
        if run.attempt == 1:
            raise ValueError

    async with floor.working():
        run_id = await floor.trigger("floods")
        await floor.fact(run_id, "retrying")
        await floor.make_due(run_id)
        row = await floor.ended(run_id)
    assert (row["log_lines"], row["logs_dropped"]) == (10_000, 2_000)
    lines = await _lines(floor, run_id)
    assert [line[0] for line in lines] == list(range(1, 10_001))
    assert [line[1] for line in lines].count(2) == 4_000


async def test_many_threads_of_one_handler_may_log_at_once(floor) -> None:
    @floor.app.job("threads")
    def threads(run: Run) -> None:
        def write() -> None:
            for n in range(200):
                run.log.info("x", n=n)

        writers = [threading.Thread(target=write) for _ in range(8)]
        for thread in writers:
            thread.start()
        for thread in writers:
            thread.join()

    async with floor.working():
        run_id = await floor.trigger("threads")
        await floor.ended(run_id)
    assert [line[0] for line in await _lines(floor, run_id)] == list(range(1, 1_601))


async def test_odd_lines_cost_nobody_anything(floor) -> None:
    @floor.app.job("odd")
    async def odd(run: Run) -> None:
        deep: list = []
        for _ in range(900):
            deep = [deep]
        run.log.info("nul \0", value="\0\ud800", nan=float("nan"), deep=deep, big=10**4000)

    @floor.app.job("fine")
    async def fine(run: Run) -> None:
        run.log.info("fine")

    async with floor.working():
        ids = [await floor.trigger("odd"), await floor.trigger("fine")]
        assert [(await floor.ended(run_id))["status"] for run_id in ids] == ["completed", "completed"]
    assert (await _lines(floor, ids[1]))[0][3] == "fine"
    assert isinstance(json.loads((await _lines(floor, ids[0]))[0][4]), dict)


async def test_a_thousand_lines_cost_no_more_statements_than_one(floor, monkeypatch) -> None:
    from tests.workers.test_control import Counting

    counting = Counting(monkeypatch)

    @floor.app.job("chatty")
    async def chatty(run: Run) -> None:
        for n in range(1_000):
            run.log.info(f"line {n}")
            await asyncio.sleep(0)

    async with floor.working(listen=False):
        await floor.ended(await floor.trigger("chatty"))
    assert counting.statements["flush"] <= counting.statements["renew"] + 1


def _buffer(**counters: int) -> LogBuffer:
    return LogBuffer(Claimed(uuid7(), 1, "x", None, None, None, None, None, None, **counters))


def test_a_line_that_would_pass_the_bytes_of_a_run_is_dropped_and_a_shorter_one_still_fits() -> None:
    buffer = _buffer(log_bytes=log_buffer.BYTES - 5)
    for message in ("123456", "12345", "1"):
        buffer.add(20, message, None)
    batch = buffer.next(10)
    assert ([line.message for line in batch.lines], batch.size, batch.dropped) == (["12345"], log_buffer.BYTES, 2)


def test_a_batch_is_kept_until_it_is_stored_and_its_totals_are_those_with_it() -> None:
    buffer = _buffer(log_lines=7, log_bytes=70)
    for _ in range(3):
        buffer.add(20, "ab", None)
    first = buffer.next(2)
    assert ([line.seq for line in first.lines], first.count, first.size) == ([8, 9], 9, 74)
    assert buffer.next(2) == first
    assert (buffer.next(0).count, buffer.next(0).size) == (7, 70)
    buffer.stored(first)
    assert [line.seq for line in buffer.next(2).lines] == [10]
    buffer.stored(buffer.next(2))
    assert not buffer.unstored
