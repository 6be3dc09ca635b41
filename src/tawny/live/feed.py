"""The one reader of a process, and the listeners that it sends to."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import structlog

from tawny.db.pool import UNREACHABLE, Connection, Pool
from tawny.live.message import Message, event_message, progress_message
from tawny.live.place import Place, before
from tawny.live.statements import queries

PAUSE: Final = 0.25
"""Seconds between two looks while somebody listens; nothing is read while nobody does."""

AT_ONCE: Final = 2_000
"""Events of one look."""

WAITING: Final = 1_000
"""Messages that may wait for one listener: whoever is that slow is dropped, and may come back from where it was."""

_PROGRESS_OF_TEAM: Final = 200

log = structlog.get_logger()


class Lost(Exception):
    """This listener was too slow, and is not sent to any more."""


@dataclass(eq=False, slots=True)
class Subscription:
    """One listener's place in the feed. What came before it has to be read from the database: up to `since`."""

    since: Place | int
    """A team's place, or the number of a run's event, from which on everything is in the queue."""
    queue: asyncio.Queue[Message | None] = field(default_factory=lambda: asyncio.Queue(WAITING))
    lost: bool = False

    def put(self, message: Message) -> None:
        try:
            self.queue.put_nowait(message)
        except asyncio.QueueFull:
            self.lost = True

    async def next(self) -> Message:
        """The next message; Lost once the listener has been dropped."""
        if self.lost:
            raise Lost
        message = await self.queue.get()
        if message is None:
            raise Lost
        return message


@dataclass(slots=True)
class _Run:
    """A run that somebody listens to: the last event that was sent, and who listens."""

    seq: int
    listeners: set[Subscription] = field(default_factory=set)


@dataclass(slots=True)
class _Joining:
    """Somebody who wants to listen, and is let in between two looks."""

    team_id: UUID | None
    run_id: UUID | None
    run_seq: int
    done: asyncio.Future[Subscription]


class Feed:
    """Reads what is new, in a statement or two for all listeners of this process, and gives each its messages.

    Listeners join between two looks, so that each knows exactly what it will be sent: everything behind `since`, once and in order.
    Used from one loop.
    """

    def __init__(self, pool: Pool, *, pause: float = PAUSE) -> None:
        self._pool = pool
        self._pause = pause
        self._teams: dict[UUID, set[Subscription]] = defaultdict(set)
        self._runs: dict[UUID, _Run] = {}
        self._joining: list[_Joining] = []
        self._place: Place | None = None  # up to where teams' events were sent; None while nobody listens to one
        self._shown: dict[UUID, str] = {}  # the last progress of each run that was sent
        self._wanted = asyncio.Event()

    async def join_team(self, team_id: UUID) -> Subscription:
        """Listen to a team, from the next look on."""
        return await self._join(_Joining(team_id, None, 0, _future()))

    async def join_run(self, run_id: UUID, seq: int) -> Subscription:
        """Listen to a run of which events up to `seq` are known to exist, from the next look on."""
        return await self._join(_Joining(None, run_id, seq, _future()))

    async def _join(self, joining: _Joining) -> Subscription:
        self._joining.append(joining)
        self._wanted.set()
        return await joining.done

    def leave(self, subscription: Subscription) -> None:
        """Stop sending to this listener."""
        for team_id in [team_id for team_id, listeners in self._teams.items() if subscription in listeners]:
            self._teams[team_id].discard(subscription)
            if not self._teams[team_id]:
                del self._teams[team_id]
        for run_id in [run_id for run_id, run in self._runs.items() if subscription in run.listeners]:
            self._runs[run_id].listeners.discard(subscription)
            if not self._runs[run_id].listeners:
                del self._runs[run_id]
                self._shown.pop(run_id, None)

    async def run(self) -> None:
        """Look again and again while anybody listens, until cancelled. A database that is away costs listeners only time."""
        while True:
            await self._wanted.wait()
            try:
                async with self._pool.acquire() as conn:
                    await self._look(conn)
            except UNREACHABLE:
                pass  # nothing was skipped: the next look begins where the last one ended
            except Exception:
                log.exception("the feed could not be read; it is tried again")
            if not (self._teams or self._runs or self._joining):
                self._wanted.clear()
                self._place = None
                self._shown.clear()
                continue
            await asyncio.sleep(self._pause)

    async def _look(self, conn: Connection) -> None:
        await self._let_in(conn)
        if self._teams:
            await self._send_team_events(conn)
        if self._runs:
            await self._send_run_events(conn)
        if self._teams or self._runs:
            await self._send_progress(conn)

    async def _let_in(self, conn: Connection) -> None:
        joining, self._joining = self._joining, []
        try:
            if any(one.team_id for one in joining) and not self._teams:
                self._place = before(await queries.horizon(conn))
        except BaseException:
            self._joining = joining + self._joining
            raise
        for one in joining:
            if not one.done.cancelled():
                one.done.set_result(self._seat(one))

    def _seat(self, joining: _Joining) -> Subscription:
        if joining.team_id is not None:
            assert self._place is not None
            subscription = Subscription(self._place)
            self._teams[joining.team_id].add(subscription)
            return subscription
        assert joining.run_id is not None
        run = self._runs.setdefault(joining.run_id, _Run(joining.run_seq))
        subscription = Subscription(run.seq)
        run.listeners.add(subscription)
        self._shown.pop(joining.run_id, None)  # so that who has just come is told how far it is
        return subscription

    async def _send_team_events(self, conn: Connection) -> None:
        while True:
            assert self._place is not None
            rows = await queries.new_events(conn, team_ids=list(self._teams), **_from(self._place), at_most=AT_ONCE)
            found = [row for row in rows if row["run_id"] is not None]
            for row in found:
                place = Place(row["xid"], row["run_id"], row["seq"])
                self._send(self._teams.get(row["team_id"], ()), event_message(str(place), row["kind"], row["event"]))
            if len(found) < AT_ONCE:
                self._place = before(rows[0]["horizon"])
                return
            self._place = Place(found[-1]["xid"], found[-1]["run_id"], found[-1]["seq"])

    async def _send_run_events(self, conn: Connection) -> None:
        asked = {run_id: run.seq for run_id, run in self._runs.items()}
        for row in await queries.new_run_events(conn, run_ids=list(asked), seqs=list(asked.values()), at_most=AT_ONCE):
            run = self._runs.get(row["run_id"])
            if run is not None:
                run.seq = row["seq"]
                self._send(run.listeners, event_message(str(row["seq"]), row["kind"], row["event"]))

    async def _send_progress(self, conn: Connection) -> None:
        rows = await queries.progress(
            conn, run_ids=list(self._runs), team_ids=list(self._teams), at_most=_PROGRESS_OF_TEAM
        )
        shown = {}
        for row in rows:
            shown[row["id"]] = row["progress"]
            if self._shown.get(row["id"]) == row["progress"]:
                continue
            message = progress_message(row["progress"])
            self._send(self._teams.get(row["team_id"], ()), message)
            if row["id"] in self._runs:
                self._send(self._runs[row["id"]].listeners, message)
        self._shown = shown

    def _send(self, listeners: Iterable[Subscription], message: Message) -> None:
        for listener in list(listeners):
            listener.put(message)
            if listener.lost:
                self.leave(listener)
                _tell(listener)


def _tell(listener: Subscription) -> None:
    """Wake a listener that waits, and give back what waits for it."""
    while not listener.queue.empty():
        listener.queue.get_nowait()
    listener.queue.put_nowait(None)


def _future() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


def _from(place: Place) -> dict[str, Any]:
    return {"xid": str(place.xid), "run_id": place.run_id, "seq": place.seq}


async def missed_by_team(pool: Pool, team_id: UUID, after: Place, until: Place) -> AsyncIterator[Message]:
    """What happened in a team between two places, in order."""
    while after < until:
        async with pool.acquire() as conn:
            rows = await queries.team_events(
                conn,
                team_id=team_id,
                **_from(after),
                until_xid=str(until.xid),
                until_run_id=until.run_id,
                until_seq=until.seq,
                at_most=AT_ONCE,
            )
        for row in rows:
            after = Place(row["xid"], row["run_id"], row["seq"])
            yield event_message(str(after), row["kind"], row["event"])
        if len(rows) < AT_ONCE:
            return


async def missed_of_run(pool: Pool, run_id: UUID, after: int, until: int) -> AsyncIterator[Message]:
    """What happened to a run behind one event and up to another, in order."""
    while after < until:
        async with pool.acquire() as conn:
            rows = await queries.run_events(conn, run_id=run_id, seq=after, until=until, at_most=AT_ONCE)
        for row in rows:
            after = row["seq"]
            yield event_message(str(after), row["kind"], row["event"])
        if len(rows) < AT_ONCE:
            return
