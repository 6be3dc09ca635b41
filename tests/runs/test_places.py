"""Of a limited job type, no more runs run at once than it has places; and no place stays empty while a run is due."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from tawny import runs
from tawny.db.pool import Connection, Pool, connect
from tawny.runs import Claimed, Crash, Finish

LIMITS = {"export": 2}


async def claim(conn: Connection, worker_id: UUID, limits: dict[str, int] = LIMITS, slots: int = 100) -> list[Claimed]:
    return await runs.claim_seated(conn, worker_id, limits=limits, slots=slots)


@pytest.fixture
async def due(house):
    """Five runs that are due, and the places of their type."""
    await runs.set_places(house.conn, LIMITS)
    return [await house.trigger(project_id=await house.new_project()) for _ in range(5)]


async def test_as_many_are_taken_as_there_are_places_the_oldest_first(house, due) -> None:
    taken = await claim(house.conn, await house.enlist())
    assert [c.id for c in taken] == due[:2]
    assert [(c.attempt, (await house.row(c.id))["status"]) for c in taken] == [(1, "running"), (1, "running")]
    assert await house.facts(due[0]) == ["triggered", "started"]
    assert await claim(house.conn, await house.enlist()) == []


async def test_no_more_are_taken_than_asked_for(house, due) -> None:
    worker_id = await house.enlist()
    assert [len(await claim(house.conn, worker_id, slots=1)) for _ in range(3)] == [1, 1, 0]


@pytest.mark.parametrize("end", ["completed", "retrying", "released", "reaped", "crashed"])
async def test_however_an_attempt_ends_its_place_is_free(house, due, reap, end: str) -> None:
    worker_id = await house.enlist()
    first, second = await claim(house.conn, worker_id)
    held = (first.id, first.attempt)
    if end == "released":
        await runs.release(house.conn, [held])
    elif end == "crashed":
        await runs.take_back(house.conn, [Crash(*held, "it crashed")])
    elif end == "reaped":
        await house.die(worker_id)
        assert set((await reap()).values()) == {"pending"}
    else:
        await runs.finish(house.conn, [Finish(*held, end, delay=60.0 if end == "retrying" else None)])
    running = {second.id} if end != "reaped" else set()
    taken = await claim(house.conn, await house.enlist())
    assert len(taken) == 2 - len(running)
    assert not running & {c.id for c in taken}


async def test_a_new_attempt_of_the_run_that_was_seated_there_does_not_hold_two_places(house, due) -> None:
    worker_id = await house.enlist()
    first, _ = await claim(house.conn, worker_id)
    await runs.release(house.conn, [(first.id, 1)])
    (again,) = await claim(house.conn, worker_id)
    assert (again.id, again.attempt) == (first.id, 2)
    await runs.finish(house.conn, [Finish(first.id, 2, "completed")])
    assert len(await claim(house.conn, worker_id)) == 1


async def test_a_higher_limit_adds_places_and_a_lower_one_leaves_those_who_sit(house, due) -> None:
    worker_id = await house.enlist()
    assert len(await claim(house.conn, worker_id)) == 2
    await runs.set_places(house.conn, {"export": 3})
    assert len(await claim(house.conn, worker_id, {"export": 3})) == 1
    assert await claim(house.conn, worker_id, {"export": 1}) == []


async def test_one_types_limit_is_not_anothers(house, due) -> None:
    both = {"export": 1, "import": 1}
    await runs.set_places(house.conn, both)
    await house.trigger(job=house.jobs["import"])
    taken = await claim(house.conn, await house.enlist(), both)
    assert sorted(c.job_type for c in taken) == ["export", "import"]


async def test_a_worker_whose_lease_is_over_takes_nothing_and_seats_nobody(house, due) -> None:
    dead = await house.enlist()
    await house.die(dead)
    assert await claim(house.conn, dead) == []
    assert len(await claim(house.conn, await house.enlist())) == 2


async def test_a_place_that_was_taken_between_the_look_and_the_lock_is_not_taken_again(house, due, database_url: str) -> None:
    """The second claim waits for its own worker's row, which is locked before the places are looked at and after its snapshot."""
    slow, quick = await house.enlist(), await house.enlist()
    other = await connect(database_url)
    async with house.conn.transaction():
        await house.conn.execute("select from workers where id = $1 for update", slow)
        waiting = asyncio.create_task(claim(other, slow))
        await _waits_for_a_lock(house)
        assert len(await claim(house.conn, quick)) == 2
    assert await waiting == []
    await other.close()


async def _waits_for_a_lock(house) -> None:
    from tests.waiting import until

    async def waits() -> object:
        return await house.conn.fetchval("select count(*) from pg_stat_activity where wait_event_type = 'Lock'")

    await until(waits, "a claim that waits for a lock")


async def test_claims_at_once_never_seat_more_than_there_are_places(house, pool: Pool) -> None:
    """Six workers claim and finish until all is done; after each claim, what runs is counted."""
    await runs.set_places(house.conn, LIMITS)
    for _ in range(60):
        await house.trigger(project_id=await house.new_project())
    workers = [await house.enlist() for _ in range(6)]
    counts: list[int] = []
    done: list[UUID] = []

    async def work(worker_id: UUID) -> None:
        while len(done) < 60:
            async with pool.acquire() as conn:
                taken = await claim(conn, worker_id, slots=2)
                counts.append(await conn.fetchval("select count(*) from job_runs where status = 'running'"))
                if taken:
                    await runs.finish(conn, [Finish(c.id, c.attempt, "completed") for c in taken])
                    done.extend(c.id for c in taken)

    await asyncio.gather(*(work(worker_id) for worker_id in workers))
    assert sorted(done) == sorted(set(done))
    assert max(counts) <= 2
