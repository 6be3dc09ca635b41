"""Listen to a team's runs or to one run: what was missed, and then what comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from tawny.access import LIST_RUNS, VIEW_RUN, Actor
from tawny.db.pool import Pool
from tawny.errors import NotFound
from tawny.live.feed import Feed, Subscription, missed_by_team, missed_of_run
from tawny.live.message import Message, opening_message
from tawny.live.place import Place
from tawny.live.statements import queries


@asynccontextmanager
async def listen_to_team(
    feed: Feed, pool: Pool, actor: Actor, team_id: UUID, after: Place | None
) -> AsyncIterator[AsyncIterator[Message]]:
    """The events of a team's runs and their progress: everything behind `after` (None: from now on), each event once.

    In the order in which their transactions began, which for one run is that of its `seq` but for rare neighbours. Ends with Lost
    for a listener that is too slow; it may come back with the id of the last event that it got.
    """
    actor.require(team_id, LIST_RUNS)
    subscription = await feed.join_team(team_id)
    try:
        yield _of_team(pool, subscription, team_id, after)
    finally:
        feed.leave_team(team_id, subscription)


async def _of_team(pool: Pool, subscription: Subscription[Place], team_id: UUID, after: Place | None) -> AsyncIterator[Message]:
    start = subscription.since if after is None else min(after, subscription.since)
    yield opening_message(str(start))
    async for message in missed_by_team(pool, team_id, start, subscription.since):
        yield message
    while True:
        yield await subscription.next()


@asynccontextmanager
async def listen_to_run(
    feed: Feed, pool: Pool, actor: Actor, run_id: UUID, after: int | None
) -> AsyncIterator[AsyncIterator[Message] | None]:
    """The events of one run and its progress, until it has ended: everything behind the event `after` (None: from now on).

    None instead when it has ended and `after` was its last event: there is nothing to wait for. NotFound when there is no such
    run for this actor. Otherwise as `listen_to_team`.
    """
    async with pool.acquire() as conn:
        found = await queries.run_to_listen_to(conn, run_id=run_id, team_ids=actor.teams_for(VIEW_RUN))
    if found is None:
        raise NotFound("Run not found.")
    if found["ended"] and after is not None and after >= found["last_seq"]:
        yield None
        return
    subscription = await feed.join_run(run_id, found["last_seq"])
    try:
        yield _of_run(pool, subscription, run_id, found["last_seq"] - 1 if found["ended"] and after is None else after)
    finally:
        feed.leave_run(run_id, subscription)


async def _of_run(pool: Pool, subscription: Subscription[int], run_id: UUID, after: int | None) -> AsyncIterator[Message]:
    start = subscription.since if after is None else min(after, subscription.since)
    yield opening_message(str(start))
    async for message in missed_of_run(pool, run_id, start, subscription.since):
        yield message
        if message.ends:
            return
    while True:
        message = await subscription.next()
        yield message
        if message.ends:
            return
