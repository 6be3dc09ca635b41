"""Each run that ends is counted once, by the statement that ends it, whoever that is."""

from __future__ import annotations

from uuid import UUID

import pytest

from tawny import runs
from tawny.db.pool import Pool
from tawny.runs import Crash, Finish


async def totals(house) -> dict[tuple[str, str], int]:
    rows = await house.conn.fetch("select job_type, outcome, sum(runs)::int as runs from run_totals group by job_type, outcome")
    return {(row["job_type"], row["outcome"]): row["runs"] for row in rows}


async def some_running(house, count: int) -> list[UUID]:
    worker_id = await house.enlist()
    for _ in range(count):
        await house.trigger(project_id=await house.new_project())
    return [claimed.id for claimed in await house.claim(worker_id)]


async def test_runs_that_finish_are_counted_by_type_and_outcome(house) -> None:
    a, b, c, d = await some_running(house, 4)
    finishes = [Finish(a, 1, "completed"), Finish(b, 1, "completed"), Finish(c, 1, "failed", error="E")]
    await runs.finish(house.conn, [*finishes, Finish(d, 1, "retrying", error="E", delay=60.0)])
    assert await totals(house) == {("export", "completed"): 2, ("export", "failed"): 1}


async def test_a_finish_that_is_sent_again_counts_once(house) -> None:
    _, claimed = await house.running()
    for _ in range(3):
        await runs.finish(house.conn, [Finish(claimed.id, 1, "completed")])
    assert await totals(house) == {("export", "completed"): 1}


async def test_a_run_that_was_to_be_cancelled_counts_as_that_when_it_is_released(house) -> None:
    _, claimed = await house.running()
    await runs.cancel(house.conn, house.actor, claimed.id)
    await runs.release(house.conn, [(claimed.id, 1)])
    assert await totals(house) == {("export", "cancelled"): 1}


async def test_a_run_that_is_cancelled_while_it_waits_counts_as_one_that_took_no_time(house) -> None:
    await runs.cancel(house.conn, house.actor, await house.trigger(), include_pending=True)
    assert await totals(house) == {("export", "cancelled"): 1}
    assert await house.conn.fetchval("select seconds from run_totals") == 0


async def test_a_run_that_is_released_or_lost_has_not_ended(house, reap) -> None:
    worker_id, claimed = await house.running()
    await runs.release(house.conn, [(claimed.id, 1)])
    await house.claim(worker_id)
    await house.die(worker_id)
    await reap()
    assert await totals(house) == {}


async def test_a_run_that_fails_by_a_crash_counts(house) -> None:
    _, claimed = await house.running()
    await house.conn.execute("update job_runs set crashes = 2")
    await runs.take_back(house.conn, [Crash(claimed.id, 1, "it crashed")])
    assert await totals(house) == {("export", "failed"): 1}


async def test_what_is_rolled_back_was_not_counted(house) -> None:
    _, claimed = await house.running()
    transaction = house.conn.transaction()
    await transaction.start()
    await runs.finish(house.conn, [Finish(claimed.id, 1, "completed")])
    await transaction.rollback()
    assert await totals(house) == {}


async def test_many_connections_lose_no_count(house, pool: Pool) -> None:
    made = await some_running(house, 60)
    for place in range(0, 60, 3):
        async with pool.transaction() as a, pool.transaction() as b, pool.transaction() as c:
            for conn, run_id in zip((a, b, c), made[place:], strict=False):
                await runs.finish(conn, [Finish(run_id, 1, "completed")])
    assert await totals(house) == {("export", "completed"): 60}
    assert await house.conn.fetchval("select count(*) from run_totals") == 3


async def test_durations_fall_into_every_bucket_that_is_long_enough(house) -> None:
    bounds = await house.conn.fetchval("select duration_bounds()")
    assert bounds == sorted(set(bounds))
    made = await some_running(house, 3)
    for run_id, seconds in zip(made, (1, 59, 100_000), strict=True):
        # Above a second by some milliseconds, since the clock goes on.
        await house.conn.execute(
            "update job_runs set started_at = clock_timestamp() - make_interval(secs => $2) where id = $1", run_id, seconds
        )
    await runs.finish(house.conn, [Finish(run_id, 1, "completed") for run_id in made[:1]])
    await runs.finish(house.conn, [Finish(run_id, 1, "completed") for run_id in made[1:]])
    row = await house.conn.fetchrow("select * from run_totals")
    assert row["runs"] == 3
    assert row["seconds"] == pytest.approx(100_060, abs=5)
    assert dict(zip(bounds, row["buckets"], strict=True)) == {b: (b > 1) + (b > 59) for b in bounds}


async def test_a_duration_that_is_a_bound_is_at_most_so_long(house) -> None:
    assert await house.conn.fetchval("select buckets_of(array[1, 14400, 14401])") == [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2]
