"""Whoever locks several rows locks them in the order that `queries.sql` states, so that no two can wait for each other.

Each statement meets a witness that locks the same rows one by one in that order, on a table where they stand the other way round.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

import pytest
from tests.runs.interleave import Answers, Part, Stage
from tests.runs.players import (
    cancel_all,
    finish,
    flush,
    reap,
    release,
    retry_all,
    some_ended,
    some_pending,
    some_running,
    trigger,
)

from tawny import runs
from tawny.builtin import act
from tawny.db.pool import Connection
from tawny.runs import Claimed, Crash, Finish

pytestmark = pytest.mark.walk


async def nothing_more(_: Answers) -> None:
    """Nobody deadlocked, and the runs are as they should be."""


def one_by_one(run_ids: Sequence[UUID]) -> Part:
    async def lock(conn: Connection) -> None:
        for run_id in sorted(run_ids):
            await conn.execute("select from job_runs where id = $1 for update", run_id)

    return Part(lock)


def checkpoints(*held: Claimed) -> Part:
    return Part(lambda conn: runs.save_checkpoints(conn, [((c.id, c.attempt), "{}") for c in held]))


def overdue(*held: Claimed) -> Part:
    return Part(lambda conn: runs.mark_overdue(conn, [((c.id, c.attempt), "cancel") for c in held]))


def take_back(*held: Claimed) -> Part:
    return Part(lambda conn: runs.take_back(conn, [Crash(c.id, c.attempt, "it crashed") for c in held]))


def finish_all(*held: Claimed) -> Part:
    return finish(*[Finish(c.id, c.attempt, "completed") for c in held])


@pytest.mark.parametrize("write", [finish_all, flush, checkpoints, overdue, take_back, release], ids=lambda write: write.__name__)
@pytest.mark.parametrize("turned", [False, True], ids=["in order", "turned"])
async def test_what_a_worker_writes_locks_runs_by_id(house, merge, write: Callable[..., Part], turned: bool) -> None:
    async def stage() -> Stage:
        _, held = await some_running(house, 3)
        given = list(reversed(held)) if turned else held
        return Stage({"writer": write(*given), "witness": one_by_one([c.id for c in held])}, nothing_more)

    await merge(stage)


@pytest.mark.parametrize("turned", [False, True], ids=["in order", "turned"])
async def test_a_bulk_cancel_locks_runs_by_id(house, merge, turned: bool) -> None:
    async def stage() -> Stage:
        _, held = await some_running(house, 2)
        run_ids = sorted([*[c.id for c in held], *await some_pending(house, 2)], reverse=turned)
        return Stage({"bulk": cancel_all(house, run_ids), "witness": one_by_one(run_ids)}, nothing_more)

    await merge(stage)


async def test_a_reaper_locks_runs_by_id(house, merge) -> None:
    async def stage() -> Stage:
        worker_id, held = await some_running(house, 2)
        await house.die(worker_id)
        return Stage({"reap": reap(), "witness": one_by_one([c.id for c in held])}, nothing_more)

    await merge(stage)


@pytest.mark.parametrize("lost", [0, 1])
@pytest.mark.parametrize("leaves", [False, True], ids=["release", "leave"])
async def test_giving_back_locks_those_that_were_lost_and_those_that_were_not_together(
    house, merge, leaves: bool, lost: int
) -> None:
    """One of the two was taken back already, and its crash is forgiven."""

    async def stage() -> Stage:
        worker_id, held = await some_running(house, 2)
        await runs.take_back(house.conn, [Crash(held[lost].id, 1, "it crashed")])
        leave = Part(lambda conn: runs.leave(conn, worker_id, [(c.id, c.attempt) for c in held]))

        async def check(answers: Answers) -> None:
            for claimed in held:
                row = await house.row(claimed.id)
                assert (row["status"], row["crashes"]) == ("pending", 0)

        witness = one_by_one([c.id for c in held])
        return Stage({"worker": leave if leaves else release(*held), "witness": witness}, check)

    await merge(stage)


async def test_totals_come_last_and_in_the_order_of_types(house, merge) -> None:
    """A finish that ends runs of two types beside one for each type, in one transaction."""

    async def stage() -> Stage:
        for _ in range(2):
            for job_type in ("import", "export"):
                await house.trigger(job=house.jobs[job_type], project_id=await house.new_project())
        by_type: dict[str, list[Claimed]] = {"export": [], "import": []}
        for claimed in await house.claim(await house.enlist()):
            by_type[claimed.job_type].append(claimed)
        first, second = zip(*by_type.values(), strict=True)

        async def witness(conn: Connection) -> None:
            for claimed in first:
                await finish_all(claimed).verb(conn)

        return Stage({"finish": finish_all(*reversed(second)), "witness": Part(witness)}, nothing_more)

    await merge(stage)


async def test_a_bulk_cancel_whose_own_run_is_reaped_with_one_that_was_to_be_cancelled(house, merge) -> None:
    """The batch counts what it ends before it writes its own checkpoint; the reaper has that run's row before it counts."""

    async def stage() -> Stage:
        worker_id, (own, other) = await some_running(house, 2)
        await runs.cancel(house.conn, house.actor, other.id)
        await house.die(worker_id)
        pending = await some_pending(house, 1)

        async def batch(conn: Connection) -> bool:
            await act._cancel(own.id, "test", conn, house.team_id, pending)
            return await runs.fence(conn, (own.id, own.attempt), "{}")

        async def check(answers: Answers) -> None:
            taken = {own.id: "pending", other.id: "cancelled"}
            # While the batch holds its own run, that is left for the next look.
            assert answers["reap"] in (taken, {other.id: "cancelled"})

        return Stage({"bulk": Part(batch), "reap": reap()}, check)

    await merge(stage)


async def test_triggers_of_many_take_slots_in_one_order(house, merge) -> None:
    async def stage() -> Stage:
        ended = await some_ended(house, 3)
        projects = sorted([(await house.row(run_id))["project_id"] for run_id in ended])

        async def witness(conn: Connection) -> None:
            for project_id in projects:
                await trigger(house, project_id=project_id)(conn)

        async def check(answers: Answers) -> None:
            assert await house.conn.fetchval("select count(*) from job_runs where outcome is null") == 3

        return Stage({"bulk": retry_all(house, ended), "witness": Part(witness)}, check)

    await merge(stage)
