"""Progress, log lines and checkpoints are stored for the attempt that holds the run, and for no other."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import asyncpg
import pytest

from tawny import runs
from tawny.db.pool import connect
from tawny.runs import Finish, Flushed, LogLine


async def test_progress_of_many_runs_is_stored_in_one_statement(house) -> None:
    worker_id = await house.enlist()
    for _ in range(3):
        await house.trigger(project_id=await house.new_project())
    claimed = await house.claim(worker_id)
    await runs.flush(house.conn, [Flushed((c.id, 1), json.dumps({"processed": i, "total": 9})) for i, c in enumerate(claimed)])
    assert [json.loads((await house.row(c.id))["progress"])["processed"] for c in claimed] == [0, 1, 2]


async def test_an_old_attempt_stores_neither_progress_nor_checkpoint(house, reap) -> None:
    old, claimed = await house.running()
    await house.die(old)
    await reap()
    await runs.flush(house.conn, [Flushed((claimed.id, 1), "{}")])
    assert await runs.save_checkpoints(house.conn, [((claimed.id, 1), "{}")]) == set()
    await house.claim(await house.enlist())
    await runs.flush(house.conn, [Flushed((claimed.id, 1), "{}")])
    assert await runs.save_checkpoints(house.conn, [((claimed.id, 1), "{}")]) == set()
    row = await house.row(claimed.id)
    assert (row["progress"], row["checkpoint"]) == (None, None)


async def test_a_run_that_has_ended_takes_no_late_progress(house) -> None:
    _, claimed = await house.running()
    await runs.finish(house.conn, [Finish(claimed.id, 1, "completed")])
    await runs.flush(house.conn, [Flushed((claimed.id, 1), '{"processed": 1, "total": 2}')])
    assert (await house.row(claimed.id))["progress"] is None


async def test_a_checkpoint_is_handed_to_the_next_attempt(house) -> None:
    _, claimed = await house.running()
    await runs.save_checkpoints(house.conn, [((claimed.id, 1), '{"next": 40}')])
    await runs.release(house.conn, [(claimed.id, 1)])
    (again,) = await house.claim(await house.enlist())
    assert (again.attempt, json.loads(again.checkpoint)) == (2, {"next": 40})


def _line(seq: int, message: str = "line", fields: str | None = None) -> LogLine:
    return LogLine(seq, 20, message, fields, datetime(2026, 11, 25, tzinfo=UTC))


async def _lines(house, run_id) -> list[tuple]:
    rows = await house.conn.fetch(
        "select seq, attempt, message, fields, team_id from run_logs where run_id = $1 order by seq", run_id
    )
    return [tuple(row) for row in rows]


async def test_log_lines_are_stored_with_the_progress_and_counted(house) -> None:
    _, claimed = await house.running()
    lines = [_line(1, "a", '{"n": 1}'), _line(2, "b")]
    flushed = Flushed((claimed.id, 1), '{"processed": 1, "total": 2}', logs=lines, lines=2, bytes=20, dropped=3)
    for _ in range(2):  # a flush whose reply was lost is sent again
        await runs.flush(house.conn, [flushed])
    assert await _lines(house, claimed.id) == [(1, 1, "a", '{"n": 1}', house.team_id), (2, 1, "b", None, house.team_id)]
    row = await house.row(claimed.id)
    assert (row["log_lines"], row["log_bytes"], row["logs_dropped"]) == (2, 20, 3)
    assert json.loads(row["progress"]) == {"processed": 1, "total": 2}


async def test_lines_alone_leave_the_progress_as_it_is(house) -> None:
    _, claimed = await house.running()
    await runs.flush(house.conn, [Flushed((claimed.id, 1), '{"processed": 1, "total": 2}')])
    await runs.flush(house.conn, [Flushed((claimed.id, 1), logs=[_line(1)], lines=1, bytes=4)])
    assert json.loads((await house.row(claimed.id))["progress"]) == {"processed": 1, "total": 2}


async def test_an_old_attempt_logs_nothing(house) -> None:
    _, claimed = await house.running()
    await runs.flush(house.conn, [Flushed((claimed.id, 9), logs=[_line(1)], lines=1, bytes=4)])
    assert await _lines(house, claimed.id) == []


async def test_the_next_attempt_counts_on(house) -> None:
    _, claimed = await house.running()
    await runs.flush(house.conn, [Flushed((claimed.id, 1), logs=[_line(1)], lines=1, bytes=4, dropped=2)])
    await runs.release(house.conn, [(claimed.id, 1)])
    (again,) = await house.claim(await house.enlist())
    assert (again.log_lines, again.log_bytes, again.logs_dropped) == (1, 4, 2)


async def test_a_fence_holds_the_run_until_the_transaction_ends(house, database_url: str, reap) -> None:
    worker_id, claimed = await house.running()
    other = await connect(database_url)
    async with house.conn.transaction():
        assert await runs.fence(house.conn, (claimed.id, 1))
        with pytest.raises(asyncpg.LockNotAvailableError):
            await other.execute("select from job_runs where id = $1 for update nowait", claimed.id)
    await other.close()
    await house.die(worker_id)
    await reap()
    assert not await runs.fence(house.conn, (claimed.id, 1))
    assert not await runs.fence(house.conn, (claimed.id, 1), "{}")
    assert (await house.row(claimed.id))["checkpoint"] is None


async def test_a_fence_may_take_a_checkpoint_along(house) -> None:
    _, claimed = await house.running()
    assert await runs.fence(house.conn, (claimed.id, 1), '{"next": 2}')
    assert json.loads((await house.row(claimed.id))["checkpoint"]) == {"next": 2}
