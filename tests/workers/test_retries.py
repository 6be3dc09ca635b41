"""A run that failed is tried again as often as its job type allows, and everybody can see why it had to be."""

from __future__ import annotations

import json

import pytest

from tawny import JobFailed, Run


async def _fails_until(floor, run_id) -> None:
    """Let each retry be due at once, until the run has ended."""
    while not (await floor.row(run_id))["outcome"]:
        await floor.make_due(run_id)


async def _data(floor, run_id, kind: str) -> list[dict]:
    rows = await floor.conn.fetch("select data from run_events where run_id = $1 and kind = $2 order by seq", run_id, kind)
    return [json.loads(row["data"]) for row in rows]


async def test_a_run_is_tried_again_until_it_succeeds(floor) -> None:
    @floor.app.job("flaky", retries=3)
    async def flaky(run: Run) -> dict:
        if run.attempt < 3:
            raise ConnectionError("the service is away")
        return {"attempt": run.attempt}

    async with floor.working():
        run_id = await floor.trigger("flaky")
        await _fails_until(floor, run_id)
    row = await floor.row(run_id)
    assert (row["status"], json.loads(row["result"]), row["failures"], row["error"]) == ("completed", {"attempt": 3}, 2, None)
    kinds = ["triggered", "started", "retrying", "started", "retrying", "started", "completed"]
    assert await floor.facts(run_id) == kinds


async def test_after_its_last_retry_it_has_failed(floor) -> None:
    @floor.app.job("hopeless", retries=2)
    def hopeless(run: Run) -> None:
        raise ValueError(f"attempt {run.attempt}")

    async with floor.working():
        run_id = await floor.trigger("hopeless")
        await _fails_until(floor, run_id)
    row = await floor.row(run_id)
    assert (row["status"], row["error"], row["failures"], row["attempt"]) == ("failed", "ValueError: attempt 3", 3, 3)


async def test_without_retries_the_first_failure_is_the_last(floor) -> None:
    @floor.app.job("once")
    async def once(run: Run) -> None:
        raise ValueError

    async with floor.working():
        assert (await floor.ended(await floor.trigger("once")))["attempt"] == 1


@pytest.mark.parametrize(("retry", "attempts"), [(False, 1), (True, 2)])
async def test_job_failed_is_final_unless_it_asks_for_a_retry(floor, retry: bool, attempts: int) -> None:
    @floor.app.job("says", retries=1)
    async def says(run: Run) -> None:
        raise JobFailed("No", result={"attempt": run.attempt}, retry=retry)

    async with floor.working():
        run_id = await floor.trigger("says")
        await _fails_until(floor, run_id)
    row = await floor.row(run_id)
    assert (row["status"], row["error"], json.loads(row["result"])) == ("failed", "No", {"attempt": attempts})


async def test_a_result_that_cannot_be_kept_is_not_tried_again(floor) -> None:
    @floor.app.job("odd", retries=3)
    async def odd(run: Run) -> object:
        return object()

    async with floor.working():
        assert (await floor.ended(await floor.trigger("odd")))["attempt"] == 1


async def test_a_retry_waits_between_one_and_two_seconds_at_first(floor) -> None:
    @floor.app.job("waits", retries=1)
    async def waits(run: Run) -> None:
        raise ValueError

    async with floor.working():
        run_id = await floor.trigger("waits")
        await floor.fact(run_id, "retrying")
        waited = await floor.conn.fetchval(
            "select extract(epoch from r.run_at - e.created_at) from job_runs r join run_events e on e.run_id = r.id "
            "where r.id = $1 and e.kind = 'retrying'",
            run_id,
        )
    assert 0.99 <= waited <= 2.01


async def test_the_traceback_shows_the_authors_frames_and_no_values(floor) -> None:
    def deep(secret: str) -> None:
        try:
            {}[secret]
        except KeyError as error:
            raise ValueError("no such month") from error

    @floor.app.job("raises", retries=1)
    def raises(run: Run) -> None:
        deep("hunter" + "2")

    async with floor.working():
        run_id = await floor.trigger("raises")
        await _fails_until(floor, run_id)
    (retried,), (failed,) = await _data(floor, run_id, "retrying"), await _data(floor, run_id, "failed")
    for data in (retried, failed):
        assert (data["error"], data["code"]) == ("ValueError: no such month", "handler_failed")
        assert "in deep" in data["traceback"]
        assert "KeyError" in data["traceback"], "what an error was raised from is shown as well"
        assert data["traceback"].endswith("ValueError: no such month")
        assert "tawny/workers" not in data["traceback"]
    assert retried["run_at"].endswith("Z")


class Unreadable(Exception):
    def __str__(self) -> str:
        raise SystemExit


@pytest.mark.parametrize(
    "error", [Unreadable(), ValueError("x" * 10**6), ValueError("\0\ud800")], ids=["unreadable", "long", "odd"]
)
async def test_a_traceback_of_whatever_was_raised_can_be_kept(floor, error: Exception) -> None:
    @floor.app.job("raises")
    async def raises(run: Run) -> None:
        raise error

    async with floor.working():
        run_id = await floor.trigger("raises")
        await floor.ended(run_id)
    (data,) = await _data(floor, run_id, "failed")
    assert len(data.get("traceback", "").encode()) <= 10_240


async def test_a_deep_recursion_keeps_a_short_traceback(floor) -> None:
    def again() -> None:
        again()

    @floor.app.job("recurses")
    def recurses(run: Run) -> None:
        again()

    async with floor.working():
        run_id = await floor.trigger("recurses")
        assert str((await floor.ended(run_id))["error"]).startswith("RecursionError")
    (data,) = await _data(floor, run_id, "failed")
    assert "repeated" in data["traceback"]


@pytest.mark.parametrize(
    "error", [StopIteration(), StopAsyncIteration(), GeneratorExit()], ids=lambda error: type(error).__name__
)
async def test_errors_that_futures_refuse_end_the_run(floor, error: BaseException) -> None:
    @floor.app.job("stops")
    def stops(run: Run) -> None:
        raise error

    async with floor.working():
        row = await floor.ended(await floor.trigger("stops"))
    assert (row["status"], row["error"]) == ("failed", f"{type(error).__name__}: ")
