"""The courier: takes notices, claims what is due, carries it, and says what became of it.

Any number of couriers share the work. Nothing that a receiver does holds up a run: runs leave notices and never wait for one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from random import random
from time import monotonic
from typing import Final, Protocol
from uuid import UUID

import structlog

from tawny.db.pool import BUSY, UNREACHABLE, Connection, Pool
from tawny.notifications.delivery import Channel, Delivery, Outcome, delivery_of, not_begun
from tawny.notifications.pauses import is_stale, next_pause
from tawny.notifications.statements import queries

BEAT: Final = 1.0
"""Seconds between two looks while nothing ends that was under way."""

AT_ONCE: Final = 500
"""Notices that one statement turns into deliveries."""

_OF_ONE_WEBHOOK: Final = 4
_AGAIN: Final = 0.2

log = structlog.get_logger()


class Carrier(Protocol):
    """What can bring messages of one channel to their receivers. `at_once`: how many at a time."""

    at_once: int

    def __call__(self, delivery: Delivery) -> Awaitable[Outcome]: ...


Aftermath = Callable[[Connection, Delivery, Outcome, bool], Awaitable[None]]
"""What else is to be done, in the transaction that ends a try; the last argument says whether it was the last one."""


@dataclass(frozen=True, slots=True)
class _Trip:
    delivery: Delivery
    task: asyncio.Task[None]


class Courier:
    """Delivers until it is stopped. Used from one loop."""

    def __init__(
        self,
        pool: Pool,
        carriers: Mapping[Channel, Carrier],
        *,
        hold: float,
        alert_email: str | None = None,
        aftermath: Aftermath | None = None,
        beat: float = BEAT,
    ) -> None:
        """`hold`: seconds after which another courier takes over what this one has claimed, unless it is heard of.

        `pool` needs two connections: what ends is stored beside the next look. `alert_email` is told of system runs.
        """
        self._pool = pool
        self._carriers = carriers
        self._hold = hold
        self._alert_email = alert_email
        self._aftermath = aftermath
        self._beat = min(beat, hold / 5)
        self._next_beat = 0.0
        self._trips: dict[UUID, _Trip] = {}
        self._wake = asyncio.Event()
        self._more_due = False
        self._claiming = True

    async def run(self) -> None:
        """Deliver until cancelled. A database that is away delays, and loses nothing."""
        while True:
            try:
                async with self._pool.acquire() as conn:
                    await self._look(conn)
            except (*UNREACHABLE, *BUSY) as error:
                log.warning("deliveries wait for the database", error=type(error).__name__)
            except Exception:
                log.exception("the courier failed; it tries again")
            await self._sleep()

    async def finish(self, seconds: float) -> None:
        """Claim nothing more, and give what is under way so long to end. What does not is due again once its hold is over."""
        self._claiming = False
        trips = {trip.task for trip in self._trips.values()}
        if trips:
            _, left = await asyncio.wait(trips, timeout=seconds)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _sleep(self) -> None:
        try:
            async with asyncio.timeout(self._beat):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    async def _look(self, conn: Connection) -> None:
        """Do what is to be done once a beat, and claim; between two beats only that, when much has ended and more is due."""
        if monotonic() >= self._next_beat:
            self._next_beat = monotonic() + self._beat
            await self._keep(conn)
            while self._claiming and await queries.address(conn, at_most=AT_ONCE, alert_email=self._alert_email) == AT_ONCE:
                pass
        if not self._claiming:
            return
        self._more_due = False
        for channel, carrier in self._carriers.items():
            await self._claim(conn, channel, carrier)

    async def _keep(self, conn: Connection) -> None:
        """Say that this courier is still there, and let go of what has been taken over by another one."""
        if not self._trips:
            return
        trips = [trip.delivery for trip in self._trips.values()]
        kept = await queries.keep_deliveries(conn, ids=[d.id for d in trips], tries=[d.tries for d in trips], hold=self._hold)
        for delivery in trips:
            if delivery.id not in {row["id"] for row in kept} and (trip := self._trips.get(delivery.id)):
                trip.task.cancel()

    async def _claim(self, conn: Connection, channel: Channel, carrier: Carrier) -> None:
        under_way = [trip.delivery for trip in self._trips.values() if trip.delivery.channel == channel]
        slots = carrier.at_once - len(under_way)
        if slots <= 0:
            self._more_due = True
            return
        rows = await queries.claim_deliveries(conn, channel=channel, hold=self._hold, busy=_busy(under_way), at_most=slots)
        self._more_due = self._more_due or len(rows) == slots
        for delivery in map(delivery_of, rows):
            task = asyncio.create_task(self._carry(delivery, carrier))
            self._trips[delivery.id] = _Trip(delivery, task)

    async def _carry(self, delivery: Delivery, carrier: Carrier) -> None:
        try:
            await self._end(delivery, await _outcome(delivery, carrier))
        finally:
            self._trips.pop(delivery.id, None)
            under_way = sum(trip.delivery.channel == delivery.channel for trip in self._trips.values())
            if self._more_due and under_way <= carrier.at_once // 2:
                self._wake.set()

    async def _end(self, delivery: Delivery, outcome: Outcome) -> None:
        """Store what became of it, however long the database is away: until then nobody else can begin anew either."""
        pause = (
            None
            if outcome.taken
            else next_pause(
                delivery.channel,
                outcome,
                tries=delivery.tries,
                age=delivery.age(datetime.now(UTC)),
                chance=random(),  # noqa: S311
            )
        )
        while True:
            try:
                async with self._pool.transaction() as conn:
                    await self._store(conn, delivery, outcome, pause)
                return
            except (*UNREACHABLE, *BUSY):
                await asyncio.sleep(_AGAIN)

    async def _store(self, conn: Connection, delivery: Delivery, outcome: Outcome, pause: float | None) -> None:
        status = "delivered" if outcome.taken else "failed" if pause is None else "pending"
        stored = await queries.end_try(
            conn,
            id=delivery.id,
            tries=delivery.tries,
            status=status,
            delay=pause or 0.0,
            unsure=int(outcome.unsure),
            entry=json.dumps(_entry(outcome)),
            request=outcome.request,
        )
        if stored is None:
            return
        _tell(delivery, outcome, pause)
        if self._aftermath is not None:
            await self._aftermath(conn, delivery, outcome, status != "pending")


async def _outcome(delivery: Delivery, carrier: Carrier) -> Outcome:
    if delivery.run is None and delivery.webhook is None:
        return not_begun("the run is not there any more")
    if is_stale(delivery.channel, tries=delivery.tries, age=delivery.age(datetime.now(UTC))):
        return not_begun("it is too old to be news")
    try:
        return await carrier(delivery)
    except Exception as error:
        log.exception("a message could not be made or carried", delivery_id=str(delivery.id))
        return Outcome(taken=False, seconds=0.0, error=type(error).__name__)


def _busy(under_way: list[Delivery]) -> list[UUID]:
    """Webhooks that have as much under way as they may."""
    ids = [delivery.webhook.id for delivery in under_way if delivery.webhook]
    return [webhook_id for webhook_id in set(ids) if ids.count(webhook_id) >= _OF_ONE_WEBHOOK]


def _entry(outcome: Outcome) -> dict[str, object]:
    entry = {
        "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
        "seconds": round(outcome.seconds, 3),
        "status": outcome.status,
        "answer": outcome.answer,
        "error": outcome.error,
    }
    return {name: of for name, of in entry.items() if of is not None}


def _tell(delivery: Delivery, outcome: Outcome, pause: float | None) -> None:
    if outcome.taken:
        return
    about = {"delivery_id": str(delivery.id), "channel": delivery.channel, "error": outcome.error, "status": outcome.status}
    if pause is None:
        log.error("a message was given up", tries=delivery.tries, **about)
    else:
        log.warning("a message was not taken", again_in=round(pause, 1), **about)
