"""Verbs that end an attempt, or write for it, and meet: whatever the order of their statements, one wins and both say so."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from tests.runs.interleave import Answers, Part, Stage
from tests.runs.players import cancel, cancel_all, claim, finish, flush, reap, release, some_running, status

from tawny import runs
from tawny.errors import InvalidRequest, LeaseLost
from tawny.runs import Claimed, Crash, Finish

pytestmark = pytest.mark.walk


@pytest.mark.parametrize("how", ["completed", "failed", "retrying"])
async def test_cancel_and_finish(house, merge, how: str) -> None:
    """An acknowledged cancel ends cancelled, whatever the handler did; a refused one says what came before it."""

    async def stage() -> Stage:
        _, held = await house.running()
        how_it_ended = Finish(held.id, held.attempt, how, error=None if how == "completed" else "E", delay=0.0)

        async def check(answers: Answers) -> None:
            ended = await status(house, held.id)
            assert answers["finish"] == {held.id: ended}
            if isinstance(answers["cancel"], InvalidRequest):
                assert ended == {"retrying": "pending"}.get(how, how)
                assert ended in str(answers["cancel"])
            else:
                assert answers["cancel"] is not None
                assert ended == "cancelled"

        return Stage({"cancel": cancel(house, held.id), "finish": finish(how_it_ended)}, check)

    await merge(stage)


async def test_cancel_of_a_pending_run_and_claim(house, merge) -> None:
    """It ends before it starts, or the worker is to be told."""

    async def stage() -> Stage:
        run_id, worker_id = await house.trigger(), await house.enlist()

        async def check(answers: Answers) -> None:
            if answers["claim"]:
                row = await house.row(run_id)
                assert (row["status"], row["worker_id"]) == ("running", worker_id)
                assert row["cancel_requested_at"] is not None
                assert answers["cancel"] == worker_id
            else:
                assert answers["cancel"] is None
                assert await status(house, run_id) == "cancelled"

        return Stage({"cancel": cancel(house, run_id, include_pending=True), "claim": claim(worker_id)}, check)

    await merge(stage)


async def test_cancel_and_cancel(house, merge) -> None:
    """The wish is left once, and each of the two is told that it is there."""

    async def stage() -> Stage:
        worker_id, held = await house.running()

        async def check(answers: Answers) -> None:
            assert {answers["one"], answers["other"]} == {worker_id, None}
            assert await house.facts(held.id) == ["triggered", "started", "cancel_requested"]

        return Stage({"one": cancel(house, held.id), "other": cancel(house, held.id)}, check)

    await merge(stage)


async def test_cancel_of_many_and_finish_of_many(house, merge) -> None:
    """In opposite orders, while somebody else holds one of the runs: each ends in one way, and the cancel counts those it got."""

    async def stage() -> Stage:
        _, held = await some_running(house, 3)
        run_ids = [c.id for c in held]
        third = Part(lambda conn: conn.execute("select from job_runs where id = $1 for update", run_ids[1]))
        cancels = replace(cancel_all(house, run_ids), transaction=False)
        finishes = replace(finish(*[Finish(c.id, 1, "completed") for c in reversed(held)]), transaction=False)

        async def check(answers: Answers) -> None:
            ended = {run_id: await status(house, run_id) for run_id in run_ids}
            assert answers["finish"] == ended
            assert answers["cancel"].asked == list(ended.values()).count("cancelled")

        return Stage({"third": third, "cancel": cancels, "finish": finishes}, check)

    await merge(stage)


async def reaped_later(house) -> dict[UUID, str]:
    """What a reaper had passed over, since somebody held it just then."""
    async with house.conn.transaction():
        return await runs.reap(house.conn, lease=0)


async def test_reap_and_finish(house, merge) -> None:
    """The worker looked dead and was not: its result counts, or its run starts again, never both."""

    async def stage() -> Stage:
        worker_id, held = await house.running()
        await house.die(worker_id)

        async def check(answers: Answers) -> None:
            assert await status(house, held.id) == ("completed" if answers["finish"] else "pending")
            taken = answers["reap"] | await reaped_later(house)
            assert taken == ({} if answers["finish"] else {held.id: "pending"})
            assert not await house.conn.fetchval("select count(*) from workers")

        return Stage({"reap": reap(), "finish": finish(Finish(held.id, held.attempt, "completed"))}, check)

    await merge(stage)


async def test_a_finish_of_an_attempt_that_was_taken_and_begun_again_elsewhere(house, merge) -> None:
    """It counts as long as the run is in its hands, and never for the attempt that comes after it."""

    async def stage() -> Stage:
        worker_id, held = await house.running()
        await house.die(worker_id)
        new = await house.enlist()

        async def check(answers: Answers) -> None:
            row = await house.row(held.id)
            assert (row["status"] == "completed") == bool(answers["finish"])
            assert (row["status"] == "running") == bool(answers["claim"])
            assert row["attempt"] == (2 if answers["claim"] else 1)

        claims = replace(claim(new), transaction=False)
        finishes = replace(finish(Finish(held.id, 1, "completed")), transaction=False)
        return Stage({"reap": reap(), "claim": claims, "finish": finishes}, check)

    await merge(stage)


async def test_an_attempt_that_crashed_on_a_worker_that_died(house, merge) -> None:
    """One crash is charged, by whoever comes first."""

    async def stage() -> Stage:
        worker_id, held = await house.running()
        await house.die(worker_id)
        crash = Part(lambda conn: runs.take_back(conn, [Crash(held.id, held.attempt, "its process died")]))

        async def check(answers: Answers) -> None:
            assert sorted([answers["crash"], answers["reap"]], key=len) == [{}, {held.id: "pending"}]
            assert (await house.row(held.id))["crashes"] == 1

        return Stage({"crash": crash, "reap": reap()}, check)

    await merge(stage)


async def test_reap_and_reap(house, merge) -> None:
    async def stage() -> Stage:
        worker_id, held = await some_running(house, 2)
        await house.die(worker_id)

        async def check(answers: Answers) -> None:
            taken = {claimed.id: "pending" for claimed in held}
            assert sorted([answers["one"], answers["other"]], key=len) == [{}, taken]

        return Stage({"one": reap(), "other": reap()}, check)

    await merge(stage)


async def test_reap_and_renew_as_the_lease_runs_out(house, merge) -> None:
    """A worker whose runs were taken is told so; one that was told that it lives keeps them."""

    async def stage() -> Stage:
        worker_id, held = await house.running()
        time = partial(runs.renew, worker_id=worker_id, lease=-1, held=[])

        async def renew(conn: Any) -> object:
            return await runs.renew(conn, worker_id, lease=60, held=[(held.id, held.attempt)])

        async def check(answers: Answers) -> None:
            alive = await house.conn.fetchval("select leased_until > clock_timestamp() from workers where id = $1", worker_id)
            if answers["reap"]:
                assert (answers["reap"], alive) == ({held.id: "pending"}, None)
                assert await runs.renew(house.conn, worker_id, lease=60, held=[]) is None
            else:
                assert alive is not None
                assert await status(house, held.id) == "running"
            if answers["renew"] is not None:
                assert answers["renew"].gone == frozenset()

        return Stage({"time": Part(time), "renew": Part(renew), "reap": reap()}, check)

    await merge(stage)


async def test_reap_and_claim_by_the_dead(house, merge) -> None:
    """A claim that the reaper does not see takes nothing, or its runs are taken back by the next."""

    async def stage() -> Stage:
        worker_id, held = await house.running()
        due = await house.trigger(project_id=await house.new_project())
        time = partial(runs.renew, worker_id=worker_id, lease=-1, held=[])

        async def check(answers: Answers) -> None:
            async with house.conn.transaction():
                later = await runs.reap(house.conn, lease=0)
            claimed = {c.id for c in answers["claim"]}
            assert claimed <= {due, held.id}
            assert answers["reap"].keys() | later.keys() >= claimed | {held.id}
            assert {await status(house, held.id), await status(house, due)} == {"pending"}

        return Stage({"time": Part(time), "reap": reap(), "claim": claim(worker_id)}, check)

    await merge(stage)


async def test_release_and_cancel(house, merge) -> None:
    """A run that is given back while somebody asks it to stop is cancelled, or pending again and the cancel refused."""

    async def stage() -> Stage:
        _, held = await house.running()

        async def check(answers: Answers) -> None:
            refused = isinstance(answers["cancel"], InvalidRequest)
            assert await status(house, held.id) == ("pending" if refused else "cancelled")

        return Stage({"release": release(held), "cancel": cancel(house, held.id)}, check)

    await merge(stage)


async def test_release_and_reap(house, merge) -> None:
    """Charged or not by then, a crash that was none is forgiven."""

    async def stage() -> Stage:
        worker_id, held = await some_running(house, 2)
        await house.die(worker_id)

        async def check(answers: Answers) -> None:
            for claimed in held:
                row = await house.row(claimed.id)
                assert (row["status"], row["crashes"]) == ("pending", 0)

        return Stage({"release": release(*held), "reap": reap()}, check)

    await merge(stage)


async def test_release_and_release(house, merge) -> None:
    """The reply to the first was lost, and it is sent again on another connection: one crash is forgiven, not two."""

    async def stage() -> Stage:
        crashed = []
        await house.trigger()
        for _ in range(2):
            worker_id = await house.enlist()
            crashed += await house.claim(worker_id)
            await house.die(worker_id)
            async with house.conn.transaction():
                await runs.reap(house.conn, lease=0)

        async def check(answers: Answers) -> None:
            assert (await house.row(crashed[0].id))["crashes"] == 1

        return Stage({"first": release(crashed[1]), "again": release(crashed[1])}, check)

    await merge(stage)


async def test_leave_and_claim(house, merge) -> None:
    """A claim that is under way when its worker leaves is given back too; a later one takes nothing."""

    async def stage() -> Stage:
        worker_id, held = await house.running()
        due = await house.trigger(project_id=await house.new_project())
        leave = Part(lambda conn: runs.leave(conn, worker_id, [(held.id, held.attempt)]))

        async def check(answers: Answers) -> None:
            assert {await status(house, held.id), await status(house, due)} == {"pending"}
            assert {claimed.id for claimed in answers["claim"]} <= {held.id, due}

        return Stage({"leave": leave, "claim": claim(worker_id)}, check)

    await merge(stage)


async def test_leave_and_reap(house, merge) -> None:
    """It is late to say goodbye, and charged nothing all the same."""

    async def stage() -> Stage:
        worker_id, held = await some_running(house, 2)
        await house.die(worker_id)
        leave = Part(lambda conn: runs.leave(conn, worker_id, [(c.id, c.attempt) for c in held]))

        async def check(answers: Answers) -> None:
            for claimed in held:
                row = await house.row(claimed.id)
                assert (row["status"], row["crashes"]) == ("pending", 0)

        return Stage({"leave": leave, "reap": reap()}, check)

    await merge(stage)


async def test_flush_and_finish(house, merge) -> None:
    """On two connections, in opposite orders: nothing is flushed into a run that has ended, and neither waits for ever."""

    async def stage() -> Stage:
        _, held = await some_running(house, 2)
        ending = finish(*[Finish(c.id, c.attempt, "completed") for c in reversed(held)])

        async def check(answers: Answers) -> None:
            assert set(answers["finish"].values()) == {"completed"}
            assert {await status(house, c.id) for c in held} == {"completed"}

        return Stage({"flush": flush(*held), "finish": ending}, check)

    await merge(stage)


async def test_flush_and_reap(house, merge) -> None:
    """What was flushed is of the attempt that was lost; nothing is written after that."""

    async def stage() -> Stage:
        worker_id, held = await some_running(house, 2)
        await house.die(worker_id)

        async def check(answers: Answers) -> None:
            assert answers["reap"] | await reaped_later(house) == {c.id: "pending" for c in held}
            for claimed in held:
                row = await house.row(claimed.id)
                lines = await house.conn.fetchval("select count(*) from run_logs where run_id = $1", claimed.id)
                assert (row["progress"] is not None, row["log_lines"]) == (bool(lines), lines)

        return Stage({"flush": flush(*reversed(held)), "reap": reap()}, check)

    await merge(stage)


async def test_an_effect_is_committed_once_whoever_takes_the_run_meanwhile(house, merge) -> None:
    """`run.transaction()` of an attempt that a reaper takes back: the next attempt finds the effect, or makes it."""

    async def stage() -> Stage:
        worker_id, held = await house.running()
        await house.die(worker_id)

        async def check(answers: Answers) -> None:
            assert answers["reap"] | await reaped_later(house) == {held.id: "pending"}
            (again,) = await house.claim(await house.enlist())
            lost = isinstance(answers["effect"], LeaseLost)
            assert again.checkpoint == (None if lost else '{"done": true}')
            if again.checkpoint is None:
                async with house.conn.transaction():
                    await effect(again)(house.conn)
            assert await house.conn.fetchval("select array_agg(run_id) from effects") == [held.id]

        return Stage({"effect": Part(effect(held)), "reap": reap()}, check)

    await merge(stage)


async def test_an_effect_is_committed_once_though_the_next_attempt_has_begun(house, merge) -> None:
    """The next attempt goes by the checkpoint that it was claimed with; one of the two makes the effect."""

    async def stage() -> Stage:
        _, held = await house.running()
        new = await house.enlist()

        async def take_and_begin(conn: Any) -> Claimed:
            await runs.take_back(conn, [Crash(held.id, held.attempt, "it seemed dead")])
            (again,) = await runs.claim(conn, new, job_types=["export"], slots=1)
            return again

        async def check(answers: Answers) -> None:
            if answers["next"].checkpoint is None:
                async with house.conn.transaction():
                    await effect(answers["next"])(house.conn)
            assert await house.conn.fetchval("select array_agg(run_id) from effects") == [held.id]

        return Stage({"effect": Part(effect(held)), "next": Part(take_and_begin, transaction=False)}, check)

    await merge(stage)


def effect(held: Claimed) -> Any:
    async def effect(conn: Any) -> None:
        await conn.execute("insert into effects values ($1)", held.id)
        if not await runs.fence(conn, (held.id, held.attempt), '{"done": true}'):
            raise LeaseLost("The run is in other hands.")

    return effect
