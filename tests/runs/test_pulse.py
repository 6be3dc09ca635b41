"""Progress and checkpoints are stored for the attempt that holds the run, and for no other."""

from __future__ import annotations

import json

from tawny import runs
from tawny.runs import Finish, Flushed


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
