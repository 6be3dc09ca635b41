"""Nothing that happens is missed or heard twice, whoever commits first and whoever comes late."""

from __future__ import annotations

import asyncio
import json
from uuid import UUID, uuid4

import pytest

from live.conftest import Town
from tawny import live
from tawny.access import Actor
from tawny.db.pool import Connection, Pool, connect
from tawny.errors import Forbidden, NotFound
from tawny.live import Feed, Lost
from tawny.live.feed import WAITING, Subscription
from tawny.live.message import progress_message
from waiting import until


async def test_a_team_hears_what_happens_to_its_runs(town: Town) -> None:
    heard = await town.listen()
    run_id = await town.trigger()
    (claimed,) = await town.claim()
    await town.finish(claimed)
    await heard.until("triggered", "started", "completed")
    assert heard.seen == [(str(run_id), 1), (str(run_id), 2), (str(run_id), 3)]


async def test_what_another_team_does_is_not_heard(town: Town, conn: Connection, pool: Pool) -> None:
    from tawny.access import create_team

    other = await create_team(conn, Actor.host(), name="Other", owner_email="o@example.com")
    theirs = Town(conn, pool, town.feed, other.team_id, Actor("user", other.user_id, {other.team_id: "owner"}))
    heard, heard_there = await town.listen(), await theirs.listen()
    town.listeners.append(heard_there)
    own, foreign = await town.trigger(), await theirs.trigger()
    await heard.until("triggered")
    await heard_there.until("triggered")
    assert ([run for run, _ in heard.seen], [run for run, _ in heard_there.seen]) == ([str(own)], [str(foreign)])


async def test_of_two_transactions_that_commit_in_reverse_order_nothing_is_missed(town: Town, database_url: str) -> None:
    early, late = await connect(database_url), await connect(database_url)
    heard = await town.listen()
    first, second = early.transaction(), late.transaction()
    await first.start()
    one = await town.trigger(early)
    await second.start()
    two = await town.trigger(late)
    await second.commit()
    three = await town.trigger()  # committed too, and yet not heard: the first one is still missing
    await asyncio.gather(*(_looked(town.feed) for _ in range(3)))
    assert heard.facts == []
    await first.commit()
    await heard.until("triggered", "triggered", "triggered")
    assert [run for run, _ in heard.seen] == [str(one), str(two), str(three)]
    await early.close()
    await late.close()


async def test_who_comes_back_hears_what_was_missed_once(town: Town) -> None:
    heard = await town.listen()
    await town.trigger()
    await heard.until("triggered")
    await heard.stop()
    missed = [str(await town.trigger()) for _ in range(5)]
    again = await town.listen(heard.ids[-1])
    later = str(await town.trigger())
    await again.until(*["triggered"] * 6)
    assert [run for run, _ in again.seen] == [*missed, later]


async def test_who_had_heard_nothing_goes_on_from_the_opening(town: Town) -> None:
    heard = await town.listen()
    await heard.stop()
    missed = str(await town.trigger())
    again = await town.listen(heard.ids[-1])
    await again.until("triggered")
    assert [run for run, _ in again.seen] == [missed]


async def test_listeners_who_come_and_go_while_much_happens_miss_nothing(town: Town) -> None:
    """Ten listeners, each of whom comes back again and again from where it was."""
    done = asyncio.Event()

    async def happen() -> None:
        for _ in range(60):
            await town.trigger()
        done.set()

    async def follow() -> list[tuple[str, int]]:
        seen: list[tuple[str, int]] = []
        heard = await town.listen()
        while not done.is_set():
            await asyncio.sleep(0.01)
            if heard.facts:  # who leaves before having heard anything would begin at the same place for ever
                await heard.stop()
                seen += heard.seen
                heard = await town.listen(heard.ids[-1])
        while len(seen + heard.seen) < len(await town.all_events()):
            await asyncio.sleep(0.05)
            if heard.task is not None and heard.task.done():  # its connection broke: it comes back, as clients do
                seen += heard.seen
                heard = await town.listen(heard.ids[-1])
        return seen + heard.seen

    listeners = [asyncio.create_task(follow()) for _ in range(10)]
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        while sum("open" in heard.kinds for heard in town.listeners) < 10:  # who is not let in yet need not hear the first run
            await asyncio.sleep(0.005)
        await happen()
        results = await asyncio.gather(*listeners)
    events = await town.all_events()
    assert all(sorted(seen) == events for seen in results)


async def test_a_feed_that_starts_anew_goes_on_where_the_old_one_was(town: Town, pool: Pool) -> None:
    heard = await town.listen()
    await town.trigger()
    await heard.until("triggered")
    missed = str(await town.trigger())
    restarted = Feed(pool, pause=0.005)
    reading = asyncio.create_task(restarted.run())
    last_before = heard.ids[1]
    town.feed = restarted
    again = await town.listen(last_before)
    await again.until("triggered")
    assert [run for run, _ in again.seen] == [missed]
    await again.stop()
    reading.cancel()


async def test_the_progress_of_a_run_is_heard_whenever_it_changes(town: Town) -> None:
    run_id = await town.trigger()
    await town.claim()
    of_run, of_team = await town.listen_to(run_id), await town.listen()
    for done in (1, 2):
        await town.conn.execute(
            "update job_runs set progress = $2::text::jsonb where id = $1", run_id, json.dumps({"processed": done, "total": 2})
        )

        async def told(done: int = done) -> bool:
            return all(heard.progress and heard.progress[-1]["progress"]["processed"] == done for heard in (of_run, of_team))

        await until(told, f"progress {done}")


async def test_a_run_is_followed_to_its_end_and_no_further(town: Town) -> None:
    run_id = await town.trigger()
    heard = await town.listen_to(run_id)
    (claimed,) = await town.claim()
    await town.finish(claimed)
    await heard.until("started", "completed")
    assert heard.task is not None
    await heard.task
    assert heard.seen == [(str(run_id), 2), (str(run_id), 3)]


async def test_a_run_can_be_heard_from_its_beginning(town: Town) -> None:
    run_id = await town.trigger()
    await town.claim()
    heard = await town.listen_to(run_id, 0)
    await heard.until("triggered", "started")
    assert heard.seen == [(str(run_id), 1), (str(run_id), 2)]


async def test_of_a_run_that_has_ended_who_knows_all_hears_nothing(town: Town) -> None:
    run_id = await town.trigger()
    (claimed,) = await town.claim()
    await town.finish(claimed)
    async with live.listen_to_run(town.feed, town.pool, town.owner, run_id, 3) as messages:
        assert messages is None
    late = await town.listen_to(run_id)
    await late.until("completed")
    assert late.kinds == ["open", "completed"]


async def test_who_may_not_look_may_not_listen(town: Town) -> None:
    run_id = await town.trigger()
    stranger = Actor("user", uuid4(), {uuid4(): "owner"})
    with pytest.raises(Forbidden):
        async with live.listen_to_team(town.feed, town.pool, stranger, town.team_id, None):
            pass
    for unknown in (run_id, UUID(int=0)):
        with pytest.raises(NotFound, match=r"^Run not found\.$"):
            async with live.listen_to_run(town.feed, town.pool, stranger, unknown, None):
                pass


async def test_a_listener_who_is_too_slow_is_lost_and_gives_back_what_waited() -> None:
    slow = Subscription(0)
    for _ in range(WAITING + 1):
        slow.put(progress_message("{}"))
    assert slow.lost
    with pytest.raises(Lost):
        await slow.next()


async def test_nothing_is_read_while_nobody_listens(town: Town) -> None:
    heard = await town.listen()
    await heard.stop()
    await _asleep(town.feed)
    asked: list[str] = []
    town.pool.acquire = lambda: asked.append("a connection")  # type: ignore[method-assign,assignment,func-returns-value]
    await asyncio.sleep(0.05)
    assert asked == []


async def _looked(feed: Feed) -> None:
    """Wait until the feed has looked once more."""
    before = feed._place
    for _ in range(20):
        await asyncio.sleep(0.005)
        if feed._place != before:
            return


async def _asleep(feed: Feed) -> None:
    async with asyncio.timeout(5):
        while feed._wanted.is_set():
            await asyncio.sleep(0.005)
