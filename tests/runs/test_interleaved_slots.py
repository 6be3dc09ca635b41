"""Verbs that want the same slot, the same due runs or the same place: one gets it, and the other is told what is there."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

import pytest
from tests.runs.interleave import Answers, Part, Stage, Verb
from tests.runs.players import cancel, claim, delete_project, finish, retry, retry_all, some_ended, some_pending, status, trigger

from tawny import runs
from tawny.db.pool import Connection
from tawny.errors import Conflict, IdempotencyMisuse, NotFound
from tawny.runs import Finish, Triggered

pytestmark = pytest.mark.walk


async def only_active(house, project_id: UUID | None = None) -> UUID | None:
    """The run that holds the slot."""
    active = "select id from job_runs where project_id = $1 and outcome is null"
    found: UUID | None = await house.conn.fetchval(active, project_id or house.project_id)
    return found


@pytest.mark.parametrize("slots", [1, 100])
async def test_claim_and_claim(house, merge, slots: int) -> None:
    """Each due run is claimed by one worker; neither waits for the other."""

    async def stage() -> Stage:
        due = await some_pending(house, 3)
        one, other = await house.enlist(), await house.enlist()

        async def check(answers: Answers) -> None:
            taken = [c.id for answer in answers.values() for c in answer]
            assert len(taken) == len(set(taken)) == min(2 * slots, 3)
            assert set(taken) <= set(due)
            assert await house.conn.fetchval("select sum(claimed) from workers") == len(taken)

        return Stage({"one": claim(one, slots), "other": claim(other, slots)}, check)

    assert await merge(stage) == 6, "all orders of two statements and two commits, since neither waits"


async def test_claims_of_a_limited_type(house, merge) -> None:
    """Never more than there are places; a place that one has locked is no place for the other."""

    async def stage() -> Stage:
        await some_pending(house, 3)
        await runs.set_places(house.conn, {"export": 2})
        seated = partial(runs.claim_seated, limits={"export": 2}, slots=1)
        workers = [await house.enlist() for _ in range(3)]

        async def check(answers: Answers) -> None:
            taken = [c.id for answer in answers.values() for c in answer]
            assert len(taken) == len(set(taken)) == 2
            running = await house.conn.fetchval("select count(*) from job_runs where status = 'running'")
            assert running == 2

        return Stage({str(n): Part(partial(seated, worker_id=worker)) for n, worker in enumerate(workers)}, check)

    await merge(stage)


async def test_workers_of_two_versions_make_places(house, merge) -> None:
    """Their apps name the types in opposite orders."""

    async def stage() -> Stage:
        async def check(_: Answers) -> None:
            assert await house.conn.fetchval("select count(*) from job_places") == 4

        def places(*types: str) -> Part:
            return Part(lambda conn: runs.set_places(conn, dict.fromkeys(types, 2)))

        async def one_by_one(conn: Connection) -> None:
            await runs.set_places(conn, {"a": 2})
            await runs.set_places(conn, {"b": 2})

        return Stage({"one by one": Part(one_by_one), "other": places("b", "a")}, check)

    await merge(stage)


async def made_and_refused(house, answers: Answers) -> tuple[UUID, list[Conflict]]:
    made = [answer for answer in answers.values() if isinstance(answer, Triggered)]
    refused = [answer for answer in answers.values() if isinstance(answer, Conflict)]
    assert len(made) == 1
    assert len(made) + len(refused) == len(answers)
    return made[0].id, refused


async def test_trigger_and_trigger(house, merge) -> None:
    """One run; who is refused is told its id, also when it waited for it."""

    async def stage() -> Stage:
        async def check(answers: Answers) -> None:
            made, refused = await made_and_refused(house, answers)
            assert made == await only_active(house)
            assert [error.details["existing_run_id"] for error in refused] == [str(made)]

        return Stage({"one": Part(trigger(house)), "other": Part(trigger(house))}, check)

    await merge(stage)


@pytest.mark.parametrize("body", ["same", "other"])
async def test_triggers_with_one_idempotency_key(house, merge, body: str) -> None:
    """One run and one answer for both; or, where they ask for different things, one of them is a misuse of the key."""

    async def stage() -> Stage:
        changes: dict[str, Any] = {} if body == "same" else {"project_id": await house.new_project()}
        one, other = trigger(house, idempotency_key="k"), trigger(house, idempotency_key="k", **changes)

        async def check(answers: Answers) -> None:
            made = [answers[name] for name in ("one", "other") if isinstance(answers[name], Triggered)]
            assert await house.conn.fetchval("select count(*) from job_runs where outcome is null") == 1
            if body == "same":
                assert [answer.id for answer in made] == [await only_active(house)] * 2
                assert sorted(answer.replayed for answer in made) == [False, True]
                assert made[0].run_json == made[1].run_json
            else:
                assert {type(answers[name]) for name in ("one", "other")} == {IdempotencyMisuse, Triggered}

        # Somebody is about to take the first slot and thinks better of it: both may have to wait in the middle.
        parts = {"one": Part(one, transaction=False), "other": Part(other, transaction=False)}
        return Stage({"third": Part(and_back(trigger(house))), **parts}, check)

    await merge(stage)


def and_back(verb: Verb) -> Verb:
    """Do this, and roll it back."""

    async def done_and_undone(conn: Connection) -> None:
        await verb(conn)
        raise NotFound("Never mind.")

    return done_and_undone


async def test_retry_and_trigger(house, merge) -> None:
    async def stage() -> Stage:
        ended = await house.trigger()
        await runs.cancel(house.conn, house.actor, ended, include_pending=True)

        async def check(answers: Answers) -> None:
            made, refused = await made_and_refused(house, answers)
            assert made == await only_active(house)
            assert [error.details["existing_run_id"] for error in refused] == [str(made)]
            assert (await house.row(made))["retry_of"] == (ended if isinstance(answers["retry"], Triggered) else None)

        return Stage({"retry": Part(retry(house, ended)), "trigger": Part(trigger(house))}, check)

    await merge(stage)


@pytest.mark.parametrize("ending", ["finish", "cancel"])
async def test_a_slot_is_free_for_a_trigger_once_its_run_has_ended(house, merge, ending: str) -> None:
    """A trigger that meets the end of the run waits for it and then makes its own, or names the run it was refused for."""

    async def stage() -> Stage:
        _, held = await house.running() if ending == "finish" else (None, None)
        run_id = held.id if held else await house.trigger()
        end = finish(Finish(run_id, 1, "completed")) if held else cancel(house, run_id, include_pending=True)

        async def check(answers: Answers) -> None:
            assert await status(house, run_id) in ("completed", "cancelled")
            if isinstance(answers["trigger"], Conflict):
                assert answers["trigger"].details["existing_run_id"] == str(run_id)
                assert await only_active(house) is None
            else:
                assert answers["trigger"].id == await only_active(house)

        return Stage({"end": end, "trigger": Part(trigger(house))}, check)

    await merge(stage)


async def test_bulk_retry_and_bulk_retry(house, merge) -> None:
    """They want the same slots, the one the newest first and the other the oldest: each slot gets one run."""

    async def stage() -> Stage:
        ended = await some_ended(house, 3)
        again = await ended_once_more(house, ended)

        async def check(answers: Answers) -> None:
            assert answers["one"]["made"] + answers["other"]["made"] == 3
            assert answers["one"]["already_active"] + answers["other"]["already_active"] == 3
            retried = await house.conn.fetch("select retry_of from job_runs where outcome is null")
            assert {row["retry_of"] for row in retried} <= set(ended) | set(again)

        # Somebody is about to take a slot in the middle and thinks better of it: both may have to wait half-way.
        third = and_back(trigger(house, project_id=await project_of(house, ended[1])))
        one, other = retry_all(house, ended), retry_all(house, again)
        return Stage({"third": Part(third), "one": one, "other": other}, check)

    await merge(stage)


async def ended_once_more(house, ended: list[UUID]) -> list[UUID]:
    """Runs in the slots of these, that were made in the opposite order."""
    again = [await house.trigger(project_id=await project_of(house, run_id)) for run_id in reversed(ended)]
    for run_id in again:
        await runs.cancel(house.conn, house.actor, run_id, include_pending=True)
    return again


async def project_of(house, run_id: UUID) -> Any:
    return (await house.row(run_id))["project_id"]


async def test_delete_of_a_project_and_claim(house, merge) -> None:
    """Its runs are cancelled, or will be once their worker has stopped."""

    async def stage() -> Stage:
        run_id, worker_id = await house.trigger(), await house.enlist()

        async def check(answers: Answers) -> None:
            row = await house.row(run_id)
            assert row["cancel_requested_at"] is not None
            assert row["status"] == ("running" if answers["claim"] else "cancelled")
            assert answers["delete"] == ({worker_id} if answers["claim"] else frozenset())

        return Stage({"delete": delete_project(house, house.project_id), "claim": claim(worker_id)}, check)

    await merge(stage)


async def test_delete_of_a_project_and_trigger(house, merge) -> None:
    """A run is made in a living project and cancelled with it, or the project is gone: no run is left behind."""

    async def stage() -> Stage:
        async def check(answers: Answers) -> None:
            made = isinstance(answers["trigger"], Triggered)
            assert made or isinstance(answers["trigger"], NotFound)
            assert await house.conn.fetch("select status from job_runs") == [("cancelled",)] * made
            with pytest.raises(NotFound):
                await trigger(house)(house.conn)

        return Stage({"delete": delete_project(house, house.project_id), "trigger": Part(trigger(house))}, check)

    await merge(stage)


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
async def test_delete_of_a_project_and_retry(house, merge, many: bool) -> None:
    """As with a trigger, also where many are retried at once and some of them are of another project."""

    async def stage() -> Stage:
        ended = await some_ended(house, 2)
        project_id = await project_of(house, ended[0])

        async def check(answers: Answers) -> None:
            retried = await house.conn.fetch("select status from job_runs where retry_of = $1", ended[0])
            if many:
                made = not answers["retry"]["project_gone"]
                assert answers["retry"]["made"] == 1 + made
                assert await house.conn.fetch("select status from job_runs where retry_of = $1", ended[1]) == [("pending",)]
            else:
                made = isinstance(answers["retry"], Triggered)
                assert made or isinstance(answers["retry"], NotFound)
            assert retried == [("cancelled",)] * made

        retries = retry_all(house, ended) if many else Part(retry(house, ended[0]))
        return Stage({"delete": delete_project(house, project_id), "retry": retries}, check)

    await merge(stage)


async def test_delete_of_a_project_and_finish(house, merge) -> None:
    """An attempt that is to be tried again ends with the project, or has ended by itself: nothing is pending afterwards."""

    async def stage() -> Stage:
        worker_id, held = await house.running()

        async def check(answers: Answers) -> None:
            assert await status(house, held.id) == "cancelled"
            asked_while_running = (await house.facts(held.id))[2] == "cancel_requested"
            assert answers["delete"] == ({worker_id} if asked_while_running else frozenset())

        again = finish(Finish(held.id, held.attempt, "retrying", error="E", delay=60.0))
        return Stage({"delete": delete_project(house, house.project_id), "finish": again}, check)

    await merge(stage)


async def test_delete_and_delete_of_a_project(house, merge) -> None:
    """One of them does it; the runs are cancelled once."""

    async def stage() -> Stage:
        run_id = await house.trigger()

        async def check(answers: Answers) -> None:
            assert {type(answer) for answer in answers.values()} == {frozenset, NotFound}
            assert await house.facts(run_id) == ["triggered", "cancel_requested", "cancelled"]

        one, other = (delete_project(house, house.project_id) for _ in range(2))
        return Stage({"one": one, "other": other}, check)

    await merge(stage)
