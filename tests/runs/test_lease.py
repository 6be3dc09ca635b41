"""A worker acts while its lease lasts, and learns from each renewal what the database thinks it holds."""

from __future__ import annotations

from uuid import UUID

from tawny import runs
from tawny.db.ids import uuid7


async def test_a_renewal_extends_the_lease_from_now(house) -> None:
    worker_id = await house.enlist(lease=1)
    assert await runs.renew(house.conn, worker_id, lease=60, held=[]) is not None
    left = await house.conn.fetchval("select extract(epoch from leased_until - now()) from workers where id = $1", worker_id)
    assert 50 < left <= 60.1


async def test_a_renewal_notes_how_many_runs_are_held_and_what_the_worker_tells_of_itself(house) -> None:
    worker_id, claimed = await house.running()
    before = await house.conn.fetchval("select seen_at from workers where id = $1", worker_id)
    sign = runs.Sign(pulse=0.25, memory=70_000_000, draining=True)
    await runs.renew(house.conn, worker_id, lease=60, held=[(claimed.id, claimed.attempt)], sign=sign)
    told = "select running, pulse_seconds, memory_bytes, draining, seen_at from workers where id = $1"
    *row, seen_at = await house.conn.fetchrow(told, worker_id)
    assert row == [1, 0.25, 70_000_000, True]
    assert seen_at > before


async def test_an_expired_lease_is_not_renewed(house) -> None:
    worker_id = await house.enlist()
    await house.die(worker_id)
    assert await runs.renew(house.conn, worker_id, lease=60, held=[]) is None


async def test_a_renewal_tells_which_runs_somebody_wants_to_stop(house) -> None:
    worker_id, claimed = await house.running()
    held = [(claimed.id, claimed.attempt)]
    assert (await runs.renew(house.conn, worker_id, lease=60, held=held)).to_cancel == frozenset()
    await runs.cancel(house.conn, house.actor, claimed.id)
    assert (await runs.renew(house.conn, worker_id, lease=60, held=held)).to_cancel == {claimed.id}


async def test_a_renewal_tells_which_runs_are_not_the_workers_any_more(house, reap) -> None:
    old, claimed = await house.running()
    await house.die(old)
    await reap()
    new = await house.enlist()
    await house.claim(new)
    renewed = await runs.renew(house.conn, new, lease=60, held=[(claimed.id, claimed.attempt), (uuid7(), 1)])
    assert claimed.id in renewed.gone
    assert len(renewed.gone) == 2


async def test_a_renewal_tells_of_a_claim_whose_reply_was_lost(house) -> None:
    worker_id, claimed = await house.running()
    renewed = await runs.renew(house.conn, worker_id, lease=60, held=[])
    assert renewed.claimed == 1
    assert await runs.held_by(house.conn, worker_id) == [(claimed.id, claimed.attempt)]


async def test_a_released_run_is_due_again_without_a_charge(house) -> None:
    _, claimed = await house.running()
    await runs.save_checkpoints(house.conn, [((claimed.id, 1), '{"next": 5}')])
    await runs.release(house.conn, [(claimed.id, 1)])
    row = await house.row(claimed.id)
    assert (row["status"], row["started_at"], row["worker_id"], row["crashes"], row["failures"]) == ("pending", None, None, 0, 0)
    assert row["checkpoint"] == '{"next": 5}'
    assert await house.facts(claimed.id) == ["triggered", "started", "released"]


async def test_a_released_run_that_was_to_be_cancelled_ends_cancelled(house) -> None:
    _, claimed = await house.running()
    await runs.cancel(house.conn, house.actor, claimed.id)
    await runs.release(house.conn, [(claimed.id, 1)])
    row = await house.row(claimed.id)
    assert row["status"] == "cancelled"
    assert row["completed_at"] is not None
    assert await house.facts(claimed.id) == ["triggered", "started", "cancel_requested", "cancelled"]


async def test_a_crash_charged_to_a_living_worker_is_forgiven_once(house, reap) -> None:
    worker_id, claimed = await house.running()
    await house.die(worker_id)
    await reap()
    assert (await house.row(claimed.id))["crashes"] == 1
    for _ in range(2):
        await runs.release(house.conn, [(claimed.id, 1)])
        assert (await house.row(claimed.id))["crashes"] == 0
    assert await house.facts(claimed.id) == ["triggered", "started", "lost", "released"]


async def lose(house, reap) -> UUID:
    """The run whose attempt has just been taken back from a worker that died."""
    worker_id = await house.enlist()
    (claimed,) = await house.claim(worker_id)
    await house.die(worker_id)
    await reap()
    return claimed.id


async def test_a_run_that_freezes_whatever_worker_it_is_on_is_forgiven_once_only(house, reap) -> None:
    run_id = await house.trigger()
    for attempt in (1, 2, 3):
        assert await lose(house, reap) == run_id
        await runs.release(house.conn, [(run_id, attempt)])
    assert (await house.row(run_id))["crashes"] == 2
    assert (await house.facts(run_id)).count("released") == 1


async def test_of_two_crashes_that_are_told_of_at_once_one_is_forgiven(house, reap) -> None:
    run_id = await house.trigger()
    assert run_id == await lose(house, reap) == await lose(house, reap)
    await runs.release(house.conn, [(run_id, 2), (run_id, 1)])
    assert (await house.row(run_id))["crashes"] == 1
    assert await house.facts(run_id) == ["triggered", "started", "lost", "started", "lost", "released"]


async def test_a_crash_that_a_checkpoint_took_back_is_not_forgiven_in_place_of_a_later_one(house, reap) -> None:
    await house.trigger()
    run_id = await lose(house, reap)
    worker_id = await house.enlist()
    await house.claim(worker_id)
    await runs.save_checkpoints(house.conn, [((run_id, 2), "{}")])
    await house.die(worker_id)
    await reap()
    await runs.release(house.conn, [(run_id, 1)])
    assert (await house.row(run_id))["crashes"] == 1
    await runs.release(house.conn, [(run_id, 2)])
    assert (await house.row(run_id))["crashes"] == 0


async def test_a_release_by_an_old_attempt_changes_nothing_of_the_new_one(house, reap) -> None:
    old, claimed = await house.running()
    await house.die(old)
    await reap()
    new = await house.enlist()
    await house.claim(new)
    await runs.release(house.conn, [(claimed.id, 1)])
    row = await house.row(claimed.id)
    assert (row["status"], row["attempt"], row["worker_id"]) == ("running", 2, new)


async def test_leaving_gives_everything_back_also_what_the_worker_did_not_know_of(house) -> None:
    worker_id, claimed = await house.running()
    async with house.conn.transaction():
        await runs.leave(house.conn, worker_id, [])
    assert (await house.row(claimed.id))["status"] == "pending"
    assert await house.conn.fetchval("select count(*) from workers") == 0
