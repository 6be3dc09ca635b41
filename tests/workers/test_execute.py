"""A handler's way from claimed to ended."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time

import pytest
from tests.waiting import until

from tawny import JobFailed, Run, runs


async def test_an_async_handler_completes_with_its_result(floor) -> None:
    @floor.app.job("export")
    async def export(run: Run, month: str) -> dict:
        run.progress(1, 2, "half")
        return {"month": month, "attempt": run.attempt}

    async with floor.working():
        row = await floor.ended(await floor.trigger("export", month="2026-01"))
    assert (row["status"], json.loads(row["result"])) == ("completed", {"month": "2026-01", "attempt": 1})
    assert json.loads(row["progress"]) == {"processed": 2, "total": 2, "message": "half"}


async def test_a_plain_handler_runs_in_a_thread(floor) -> None:
    @floor.app.job("plain")
    def plain(run: Run) -> dict:
        return {"thread": threading.current_thread().name}

    async with floor.working():
        row = await floor.ended(await floor.trigger("plain"))
    assert "tawny-handler" in json.loads(row["result"])["thread"]


async def test_a_handler_gets_coerced_params_and_the_checked_project(floor) -> None:
    @floor.app.job("typed")
    async def typed(run: Run, count: int, project_id: str, dry_run: bool = False) -> dict:
        return {"count": count, "dry_run": dry_run, "same": project_id == str(run.project_id)}

    async with floor.working():
        row = await floor.ended(await floor.trigger("typed", count="5", dry_run="true"))
    assert json.loads(row["result"]) == {"count": 5, "dry_run": True, "same": True}


def _raise(error: BaseException):
    raise error


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (ValueError("no such month"), "ValueError: no such month"),
        (JobFailed("Nothing to export"), "Nothing to export"),
        (ValueError("nul \0 and \ud800"), "ValueError: nul \ufffd and \ufffd"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (BaseException("base"), "BaseException: base"),
        (asyncio.CancelledError(), "CancelledError"),
        (Unprintable(), "Unprintable"),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("kind", ["async", "plain"])
async def test_whatever_a_handler_raises_fails_its_run_and_only_that(floor, kind: str, raised: BaseException, error: str) -> None:
    if kind == "async":

        @floor.app.job("bad")
        async def bad(run: Run) -> None:
            _raise(raised)

    else:

        @floor.app.job("bad")
        def bad_plain(run: Run) -> None:
            _raise(raised)

    @floor.app.job("good")
    async def good(run: Run) -> None: ...

    async with floor.working():
        failed = await floor.ended(await floor.trigger("bad"))
        fine = await floor.ended(await floor.trigger("good"))
    assert failed["status"] == "failed"
    assert str(failed["error"]).startswith(error)
    assert failed["result"] is None
    assert fine["status"] == "completed"


async def test_a_failure_may_keep_a_result(floor) -> None:
    @floor.app.job("half")
    async def half(run: Run) -> None:
        raise JobFailed("Half of it", result={"done": 5})

    async with floor.working():
        row = await floor.ended(await floor.trigger("half"))
    assert (row["status"], json.loads(row["result"])) == ("failed", {"done": 5})


@pytest.mark.parametrize(
    "value",
    [object(), {"x": float("nan")}, {"x": b"bytes"}, [1], "text", {"x": "y" * 2**20}],
    ids=lambda value: type(value).__name__,
)
async def test_a_result_that_cannot_be_kept_fails_the_run(floor, value: object) -> None:
    @floor.app.job("odd")
    async def odd(run: Run) -> object:
        return value

    async with floor.working():
        row = await floor.ended(await floor.trigger("odd"))
    assert (row["status"], row["error_code"]) == ("failed", "result_not_serialisable")


async def test_a_value_that_only_postgresql_refuses_fails_its_run_and_not_its_neighbours(floor) -> None:
    @floor.app.job("huge")
    async def huge(run: Run) -> dict:
        return {"x": 10**140_000}  # fine JSON, and wider than PostgreSQL's numbers

    @floor.app.job("fine")
    async def fine(run: Run) -> None: ...

    sys.set_int_max_str_digits(0)
    try:
        async with floor.working():
            bad = await floor.trigger("huge")
            good = [await floor.trigger("fine") for _ in range(5)]
            assert (await floor.ended(bad))["error_code"] == "result_not_serialisable"
            assert [(await floor.ended(run_id))["status"] for run_id in good] == ["completed"] * 5
    finally:
        sys.set_int_max_str_digits(4300)


async def test_params_that_no_longer_fit_the_handler_fail_the_run(floor) -> None:
    @floor.app.job("changed")
    async def changed(run: Run, count: int = 1) -> None: ...

    run_id = await floor.trigger("changed")
    await floor.conn.execute("""update job_runs set params = '{"count": "many"}' where id = $1""", run_id)
    async with floor.working():
        row = await floor.ended(run_id)
    assert (row["status"], row["error_code"]) == ("failed", "invalid_params")


async def test_a_cancelled_run_stops_at_the_next_item_and_ends_cancelled(floor) -> None:
    going = threading.Event()

    @floor.app.job("long")
    def long(run: Run) -> None:
        for _ in run.track(range(10**9)):
            going.set()
            time.sleep(0.001)

    async with floor.working():
        run_id = await floor.trigger("long")
        await asyncio.to_thread(going.wait, 10)
        await runs.cancel(floor.conn, floor.actor, run_id)
        row = await floor.ended(run_id)
    assert (row["status"], row["error"]) == ("cancelled", None)
    assert json.loads(row["progress"])["processed"] > 0


async def test_a_handler_that_returns_early_after_a_cancel_keeps_its_result(floor) -> None:
    @floor.app.job("polite")
    async def polite(run: Run) -> dict:
        done = 0
        while not run.cancelled:
            done += 1
            await asyncio.sleep(0.001)
        return {"done": done}

    async with floor.working():
        run_id = await floor.trigger("polite")
        await floor.status(run_id, "running")
        await runs.cancel(floor.conn, floor.actor, run_id)
        row = await floor.ended(run_id)
    assert row["status"] == "cancelled"
    assert json.loads(row["result"])["done"] > 0


async def test_a_checkpoint_is_durable_when_it_returns(floor) -> None:
    stored = asyncio.Event()
    go_on = asyncio.Event()

    @floor.app.job("steps")
    async def steps(run: Run) -> dict:
        await run.checkpoint({"next": 3})
        stored.set()
        await go_on.wait()
        return {"last": run.checkpointed}

    async with floor.working():
        run_id = await floor.trigger("steps")
        await stored.wait()
        assert json.loads((await floor.row(run_id))["checkpoint"]) == {"next": 3}
        go_on.set()
        assert json.loads((await floor.ended(run_id))["result"]) == {"last": {"next": 3}}


async def test_a_checkpoint_of_a_plain_handler_blocks_until_it_is_stored(floor) -> None:
    @floor.app.job("steps")
    def steps(run: Run) -> dict:
        for step in range(20):
            run.checkpoint({"step": step})
        return dict(run.checkpointed)

    async with floor.working():
        row = await floor.ended(await floor.trigger("steps"))
    assert json.loads(row["result"]) == json.loads(row["checkpoint"]) == {"step": 19}


async def test_progress_is_seen_while_the_run_runs(floor) -> None:
    go_on = threading.Event()

    @floor.app.job("seen")
    def seen(run: Run) -> None:
        run.progress(5, 10, "halfway")
        go_on.wait(10)

    async with floor.working():
        run_id = await floor.trigger("seen")

        async def shown() -> object:
            return (await floor.row(run_id))["progress"]

        assert json.loads(str(await until(shown, "the progress"))) == {"processed": 5, "total": 10, "message": "halfway"}
        go_on.set()
        await floor.ended(run_id)
