"""A run ends once, by the attempt that holds it, and the database decides how."""

from __future__ import annotations

import json

import asyncpg
import pytest

from tawny import runs
from tawny.errors import Conflict
from tawny.runs import Crash, Finish, Flushed


async def test_a_completed_run_keeps_its_result_and_shows_all_of_its_progress(house) -> None:
    _, claimed = await house.running()
    done = Finish(claimed.id, 1, "completed", result='{"exported": 7}', progress='{"processed": 6, "total": 7}')
    assert await runs.finish(house.conn, [done]) == {claimed.id: "completed"}
    row = await house.row(claimed.id)
    assert json.loads(row["progress"]) == {"processed": 7, "total": 7}
    assert json.loads(row["result"]) == {"exported": 7}
    assert (row["error"], row["worker_id"]) == (None, None)
    assert await house.facts(claimed.id) == ["triggered", "started", "completed"]


async def test_where_no_total_was_told_what_was_done_was_the_total(house) -> None:
    _, claimed = await house.running()
    await runs.finish(house.conn, [Finish(claimed.id, 1, "completed", progress='{"processed": 6, "total": 0}')])
    assert json.loads((await house.row(claimed.id))["progress"]) == {"processed": 6, "total": 6}


async def test_progress_stored_before_is_completed_as_well(house) -> None:
    _, claimed = await house.running()
    await runs.flush(house.conn, [Flushed((claimed.id, 1), '{"processed": 2, "total": 9, "message": "x"}')])
    await runs.finish(house.conn, [Finish(claimed.id, 1, "completed")])
    assert json.loads((await house.row(claimed.id))["progress"]) == {"processed": 9, "total": 9, "message": "x"}


async def test_a_run_without_progress_completes_without_progress(house) -> None:
    _, claimed = await house.running()
    await runs.finish(house.conn, [Finish(claimed.id, 1, "completed")])
    row = await house.row(claimed.id)
    assert (row["progress"], row["result"], row["status"]) == (None, None, "completed")


async def test_a_failed_run_keeps_error_and_last_progress(house) -> None:
    _, claimed = await house.running()
    failed = Finish(
        claimed.id, 1, "failed", error="ValueError: no", code="handler_failed", progress='{"processed": 2, "total": 9}'
    )
    await runs.finish(house.conn, [failed])
    row = await house.row(claimed.id)
    assert (row["status"], row["error"], row["failures"], row["crashes"]) == ("failed", "ValueError: no", 1, 0)
    assert json.loads(row["progress"])["processed"] == 2


@pytest.mark.parametrize("returned", ["completed", "failed"])
async def test_a_run_that_was_asked_to_stop_ends_cancelled_whatever_its_handler_did(house, returned: str) -> None:
    _, claimed = await house.running()
    await runs.cancel(house.conn, house.actor, claimed.id)
    finish = Finish(claimed.id, 1, returned, result='{"done": 3}', error="E", progress='{"processed": 3, "total": 9}')
    assert await runs.finish(house.conn, [finish]) == {claimed.id: "cancelled"}
    row = await house.row(claimed.id)
    assert (row["error"], json.loads(row["result"]), json.loads(row["progress"])["processed"]) == (None, {"done": 3}, 3)
    assert await house.facts(claimed.id) == ["triggered", "started", "cancel_requested", "cancelled"]


async def test_an_old_attempt_ends_nothing(house, reap) -> None:
    worker_id, claimed = await house.running()
    await house.die(worker_id)
    await reap()
    assert await runs.finish(house.conn, [Finish(claimed.id, 1, "completed")]) == {}
    await house.claim(await house.enlist())
    assert await runs.finish(house.conn, [Finish(claimed.id, 1, "completed")]) == {}
    assert (await house.row(claimed.id))["status"] == "running"


async def test_a_finish_whose_reply_was_lost_succeeds_again_and_leaves_one_fact(house) -> None:
    _, claimed = await house.running()
    for _ in range(2):
        assert await runs.finish(house.conn, [Finish(claimed.id, 1, "completed")]) == {claimed.id: "completed"}
    assert (await house.facts(claimed.id)).count("completed") == 1


async def test_many_end_in_one_statement_each_in_its_own_way(house) -> None:
    worker_id = await house.enlist()
    for _ in range(3):
        await house.trigger(project_id=await house.new_project())
    a, b, c = await house.claim(worker_id)
    ended = await runs.finish(
        house.conn,
        [Finish(c.id, 1, "completed"), Finish(a.id, 1, "failed", error="x"), Finish(b.id, 9, "completed")],
    )
    assert ended == {a.id: "failed", c.id: "completed"}
    assert (await house.row(b.id))["status"] == "running"


@pytest.mark.parametrize("change", ["status = 'pending'", "result = '{}'", "error = 'x'", "notify = true", "progress = null"])
async def test_a_run_that_has_ended_does_not_change(house, change: str) -> None:
    _, claimed = await house.running()
    await runs.finish(house.conn, [Finish(claimed.id, 1, "completed")])
    with pytest.raises(asyncpg.RaiseError, match="has ended"):
        await house.conn.execute(f"update job_runs set {change} where id = $1", claimed.id)


async def _events(house, run_id) -> list[tuple[str, dict]]:
    rows = await house.conn.fetch("select kind, data from run_events where run_id = $1 order by seq", run_id)
    return [(row["kind"], json.loads(row["data"] or "{}")) for row in rows]


FAILURE = {"error": "ValueError: no", "code": "handler_failed", "traceback": "Traceback …"}


async def test_a_failure_that_is_retried_is_pending_and_due_after_its_delay(house) -> None:
    worker_id, claimed = await house.running()
    retrying = Finish(claimed.id, 1, "retrying", delay=60.0, progress='{"processed": 2, "total": 9}', **FAILURE)
    assert await runs.finish(house.conn, [retrying]) == {claimed.id: "pending"}
    row = await house.row(claimed.id)
    assert (row["status"], row["failures"], row["crashes"], row["started_at"], row["error"]) == ("pending", 1, 0, None, None)
    assert json.loads(row["progress"])["processed"] == 2
    assert 55 < await house.conn.fetchval("select extract(epoch from $1 - clock_timestamp())", row["run_at"]) <= 60
    assert await house.claim(worker_id) == []
    kind, data = (await _events(house, claimed.id))[-1]
    assert (kind, data.keys()) == ("retrying", {*FAILURE, "run_at"})
    assert FAILURE.items() <= data.items()


async def test_while_it_waits_its_slot_stays_taken(house) -> None:
    _, claimed = await house.running()
    await runs.finish(house.conn, [Finish(claimed.id, 1, "retrying", delay=60.0)])
    with pytest.raises(Conflict, match="waits for its next attempt"):
        await house.trigger()


async def test_a_failure_that_would_be_retried_ends_cancelled_where_somebody_asked_for_that(house) -> None:
    _, claimed = await house.running()
    await runs.cancel(house.conn, house.actor, claimed.id)
    assert await runs.finish(house.conn, [Finish(claimed.id, 1, "retrying", delay=60.0, **FAILURE)]) == {claimed.id: "cancelled"}
    assert (await house.row(claimed.id))["error"] is None
    assert (await _events(house, claimed.id))[-1] == ("cancelled", {})


async def test_a_retry_whose_reply_was_lost_is_counted_once(house) -> None:
    _, claimed = await house.running()
    for _ in range(2):
        assert await runs.finish(house.conn, [Finish(claimed.id, 1, "retrying", delay=0.0)]) == {claimed.id: "pending"}
    assert (await house.row(claimed.id))["failures"] == 1


async def test_a_failure_leaves_why_in_its_fact(house) -> None:
    _, claimed = await house.running()
    await runs.finish(house.conn, [Finish(claimed.id, 1, "failed", **FAILURE)])
    assert (await _events(house, claimed.id))[-1] == ("failed", FAILURE)


async def test_a_crash_is_charged_and_told(house) -> None:
    _, claimed = await house.running()
    crash = Crash(claimed.id, 1, "its process was killed by SIGSEGV")
    assert await runs.take_back(house.conn, [crash]) == {claimed.id: "pending"}
    assert ((await house.row(claimed.id))["crashes"], (await _events(house, claimed.id))[-1]) == (
        1,
        ("lost", {"crashes": 1, "reason": "its process was killed by SIGSEGV"}),
    )
    assert await runs.take_back(house.conn, [crash]) == {}, "an old attempt's crash is nobody's any more"


async def test_an_overdue_attempt_leaves_a_fact_and_nothing_else(house) -> None:
    _, claimed = await house.running()
    await runs.mark_overdue(house.conn, [((claimed.id, 1), "timeout"), ((claimed.id, 7), "cancel")])
    assert (await _events(house, claimed.id))[-1] == ("overdue", {"reason": "timeout"})
    assert (await house.row(claimed.id))["status"] == "running"
