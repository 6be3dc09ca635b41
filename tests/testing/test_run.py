"""`tawny.testing.run`: a handler runs as on a worker, and a test sees all that it did."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest

from tawny import JobFailed, Run, Tawny
from tawny.errors import InvalidRequest
from tawny.testing import LogLine, Progress, run, run_async

app = Tawny()


@app.job("export", retries=1)
async def export(run: Run, month: str, count: int = 3, fail: bool = False) -> dict[str, Any]:
    done = (run.checkpointed or {}).get("done", 0)
    for n in run.track(range(done, count), message="Exported {processed} of {total}"):
        await run.checkpoint({"done": n + 1})
    run.log.warning("Done", month=month)
    if fail:
        raise ValueError(month)
    return {"month": month, "count": count, "attempt": run.attempt, "done_before": done}


@app.job("plain")
def plain(run: Run, project_id: UUID) -> dict[str, Any]:
    run.checkpoint([1])
    return {
        "in_a_thread": threading.current_thread() is not threading.main_thread(),
        "project": str(project_id),
        "same": project_id == run.project_id,
    }


@app.job("refuses")
async def refuses(run: Run, retry: bool = False) -> None:
    raise JobFailed("No", result={"half": 1}, retry=retry)


@app.job("polite")
async def polite(run: Run) -> dict[str, int]:
    done = 0
    while not run.cancelled:
        done += 1
        run.progress(done)
    return {"done": done}


@app.system_job("sweep")
def sweep(run: Run) -> dict[str, Any]:
    return {"project": run.project_id, "team": run.team_id}


def test_all_that_a_handler_does_is_seen() -> None:
    outcome = run(app, "export", {"month": "2026-01", "count": "2"})
    assert (outcome.status, outcome.error, outcome.delay) == ("completed", None, None)
    assert outcome.result == {"month": "2026-01", "count": 2, "attempt": 1, "done_before": 0}
    assert outcome.checkpoint == {"done": 2}
    assert outcome.progress[-1] == Progress(2, 2, "Exported 2 of 2")
    assert outcome.logs == (LogLine("warning", "Done", {"month": "2026-01"}),)


def test_a_later_attempt_goes_on_from_a_checkpoint() -> None:
    outcome = run(app, "export", {"month": "2026-01"}, attempt=2, checkpoint={"done": 2})
    assert outcome.result == {"month": "2026-01", "count": 3, "attempt": 2, "done_before": 2}


def test_what_it_raises_is_its_failure_or_a_retry() -> None:
    first = run(app, "export", {"month": "x", "fail": True})
    assert (first.status, first.error, first.code) == ("retrying", "ValueError: x", "handler_failed")
    assert first.delay is not None
    assert 1 <= first.delay <= 2
    last = run(app, "export", {"month": "x", "fail": True}, failures=1)
    assert (last.status, last.delay) == ("failed", None)
    assert last.traceback is not None
    assert last.traceback.endswith("ValueError: x")


def test_a_plain_handler_runs_in_a_thread_and_gets_its_project() -> None:
    project_id = "0190a6e0-0000-7000-8000-000000000003"
    outcome = run(app, "plain", project_id=project_id)
    assert outcome.result == {"in_a_thread": True, "project": project_id, "same": True}
    assert outcome.checkpoint == [1]


def test_job_failed_keeps_its_result() -> None:
    outcome = run(app, "refuses")
    assert (outcome.status, outcome.error, outcome.result) == ("failed", "No", {"half": 1})


def test_somebody_may_ask_for_a_stop() -> None:
    outcome = run(app, "polite", cancel_after=5)
    assert (outcome.status, outcome.result, outcome.error) == ("cancelled", {"done": 5}, None)
    assert run(app, "polite", cancel_after=0).result == {"done": 0}
    raised = run(app, "export", {"month": "2026-01"}, cancel_after=1)
    assert (raised.status, raised.checkpoint, raised.progress[-1].processed) == ("cancelled", {"done": 1}, 1)


def test_a_result_that_cannot_be_kept_fails_as_on_a_server() -> None:
    other = Tawny()

    @other.job("odd")
    async def odd(run: Run) -> dict[str, Any]:
        return {"x": float("nan")}

    assert run(other, "odd").code == "result_not_serialisable"


def test_params_that_do_not_fit_are_refused_as_by_the_api() -> None:
    with pytest.raises(InvalidRequest, match="month"):
        run(app, "export", {})
    with pytest.raises(InvalidRequest, match="it has export, plain"):
        run(app, "exprot", {})


def test_a_system_job_has_no_team_and_no_project() -> None:
    assert run(app, "sweep").result == {"project": None, "team": None}


def test_the_lifespan_is_entered_unless_a_state_is_given() -> None:
    opened: list[str] = []

    @asynccontextmanager
    async def lifespan(_: Tawny) -> AsyncIterator[str]:
        opened.append("open")
        yield "from lifespan"
        opened.append("close")

    other = Tawny(lifespan=lifespan)

    @other.job("uses")
    async def uses(run: Run) -> dict[str, Any]:
        return {"state": run.state}

    assert run(other, "uses", state="fake").result == {"state": "fake"}
    assert opened == []
    assert run(other, "uses").result == {"state": "from lifespan"}
    assert opened == ["open", "close"]


writing = Tawny()


@writing.job("writes")
async def writes(run: Run, fail: bool = False) -> None:
    async with run.transaction() as tx:
        await tx.execute("create table written_by_a_test (n int)")
        tx.checkpoint({"next": 2})
        if fail:
            raise ValueError


async def test_a_transaction_writes_where_the_test_says(conn) -> None:
    tx = conn.transaction()
    await tx.start()
    assert (await run_async(writing, "writes", connection=conn)).checkpoint == {"next": 2}
    assert await conn.fetchval("select count(*) from written_by_a_test") == 0
    await tx.rollback()
    assert await conn.fetchval("select to_regclass('written_by_a_test')") is None


async def test_a_transaction_that_raises_is_rolled_back(conn) -> None:
    outcome = await run_async(writing, "writes", {"fail": True}, connection=conn)
    assert (outcome.status, outcome.checkpoint) == ("failed", None)
    assert await conn.fetchval("select to_regclass('written_by_a_test')") is None


async def test_a_transaction_without_a_connection_says_what_is_missing() -> None:
    assert "connection" in str((await run_async(writing, "writes")).error)


async def test_runs_may_be_awaited_side_by_side() -> None:
    outcomes = await asyncio.gather(*(run_async(app, "export", {"month": str(n)}) for n in range(5)))
    assert [outcome.result["month"] for outcome in outcomes if outcome.result] == ["0", "1", "2", "3", "4"]
