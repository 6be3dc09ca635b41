"""The one reader of a process, and the listeners that it sends to."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import structlog

from tawny.db.pool import UNREACHABLE, Connection, Pool
from tawny.live.message import Message, event_message, progress_message
from tawny.live.place import START, Place, before
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


Since = TypeVar("Since")


class Subscription(Generic[Since]):
    """One listener's seat. What came before it has to be read from the database: up to `since`, behind which all is in the queue.

    `since` is a place in a team's stream, or the number of a run's event.
    """

    __slots__ = ("_queue", "lost", "since")

    def __init__(self, since: Since) -> None:
        self.since = since
        self.lost = False
        self._queue: asyncio.Queue[Message | None] = asyncio.Queue(WAITING)

    def put(self, message: Message) -> None:
        """Let the listener have this; one that is too slow is lost, and what waits for it is given back."""
        try:
            self._queue.put_nowait(message)
        except asyncio.QueueFull:
            self.lost = True
            while not self._queue.empty():
                self._queue.get_nowait()
            self._queue.put_nowait(None)

    async def next(self) -> Message:
        """The next message; Lost for a listener that was too slow."""
        message = await self._queue.get()
        if message is None:
            raise Lost
        return message


@dataclass(slots=True)
class _Run:
    """A run that somebody listens to: the last event that was sent, and who listens."""

    seq: int
    listeners: set[Subscription[int]] = field(default_factory=set)


Seat = TypeVar("Seat")


@dataclass(slots=True)
class _Joining(Generic[Seat]):
    """Somebody who wants to listen, and is let in between two looks."""

    id: UUID
    seq: int
    done: asyncio.Future[Seat]


class Feed:
    """Reads what is new, in a statement or two for all listeners of this process, and gives each its messages.

    Listeners join between two looks, so that each knows exactly what it will be sent: everything behind `since`, once and in
    order. Used from one loop.
    """

    def __init__(self, pool: Pool, *, pause: float = PAUSE) -> None:
        self._pool = pool
        self._pause = pause
        self._teams: dict[UUID, set[Subscription[Place]]] = defaultdict(set)
        self._runs: dict[UUID, _Run] = {}
        self._joining_teams: list[_Joining[Subscription[Place]]] = []
        self._joining_runs: list[_Joining[Subscription[int]]] = []
        self._place = START  # up to where teams' events were sent; of no meaning while nobody listens to a team
        self._shown: dict[UUID, str] = {}  # the last progress of each run that was sent
        self._wanted = asyncio.Event()

    async def join_team(self, team_id: UUID) -> Subscription[Place]:
        """Listen to a team, from the next look on."""
        joining: _Joining[Subscription[Place]] = _Joining(team_id, 0, asyncio.get_running_loop().create_future())
        self._joining_teams.append(joining)
        self._wanted.set()
        try:
            return await joining.done
        except asyncio.CancelledError:
            if seated := _seated(joining.done):
                self.leave_team(team_id, seated)
            raise

    async def join_run(self, run_id: UUID, seq: int) -> Subscription[int]:
        """Listen to a run of which events up to `seq` are known to exist, from the next look on."""
        joining: _Joining[Subscription[int]] = _Joining(run_id, seq, asyncio.get_running_loop().create_future())
        self._joining_runs.append(joining)
        self._wanted.set()
        try:
            return await joining.done
        except asyncio.CancelledError:
            if seated := _seated(joining.done):
                self.leave_run(run_id, seated)
            raise

    def leave_team(self, team_id: UUID, subscription: Subscription[Place]) -> None:
        """Stop sending a team's events to this listener."""
        listeners = self._teams.get(team_id, set())
        listeners.discard(subscription)
        if not listeners:
            self._teams.pop(team_id, None)

    def leave_run(self, run_id: UUID, subscription: Subscription[int]) -> None:
        """Stop sending a run's events to this listener."""
        run = self._runs.get(run_id)
        if run is not None:
            run.listeners.discard(subscription)
            if not run.listeners:
                del self._runs[run_id]

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
            if self._nobody_listens():
                self._wanted.clear()
                self._shown.clear()
                continue
            await asyncio.sleep(self._pause)

    def _nobody_listens(self) -> bool:
        return not (self._teams or self._runs or self._joining_teams or self._joining_runs)

    async def _look(self, conn: Connection) -> None:
        if self._joining_teams and not self._teams:
            self._place = before(await queries.horizon(conn))
        self._let_in()
        if self._teams:
            await self._send_team_events(conn)
        if self._runs:
            await self._send_run_events(conn)
        if self._teams or self._runs:
            await self._send_progress(conn)

    def _let_in(self) -> None:
        """Seat those who wait. Whoever has given up meanwhile is not seated: nobody would take them out again."""
        teams, self._joining_teams = self._joining_teams, []
        for team in teams:
            if not team.done.cancelled():
                seat = Subscription(self._place)
                self._teams[team.id].add(seat)
                team.done.set_result(seat)
        runs, self._joining_runs = self._joining_runs, []
        for run in runs:
            if not run.done.cancelled():
                followed = self._runs.setdefault(run.id, _Run(run.seq))
                followed.listeners.add(listener := Subscription(followed.seq))
                self._shown.pop(run.id, None)  # so that who has just come is told how far it is
                run.done.set_result(listener)

    async def _send_team_events(self, conn: Connection) -> None:
        while True:
            rows = await queries.new_events(conn, team_ids=list(self._teams), **_from(self._place), at_most=AT_ONCE)
            found = [row for row in rows if row["run_id"] is not None]
            for row in found:
                place = Place(row["xid"], row["run_id"], row["seq"])
                _send(self._teams.get(row["team_id"], ()), event_message(str(place), row["kind"], row["event"]))
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
                _send(run.listeners, event_message(str(row["seq"]), row["kind"], row["event"]))

    async def _send_progress(self, conn: Connection) -> None:
        rows = await queries.progress(conn, run_ids=list(self._runs), team_ids=list(self._teams), at_most=_PROGRESS_OF_TEAM)
        shown = {}
        for row in rows:
            shown[row["id"]] = row["progress"]
            if self._shown.get(row["id"]) == row["progress"]:
                continue
            message = progress_message(row["progress"])
            _send(self._teams.get(row["team_id"], ()), message)
            if row["id"] in self._runs:
                _send(self._runs[row["id"]].listeners, message)
        self._shown = shown


def _seated(done: asyncio.Future[Seat]) -> Seat | None:
    """The seat of somebody who went in the very moment in which it was given."""
    return done.result() if done.done() and not done.cancelled() else None


def _send(listeners: Collection[Subscription[Any]], message: Message) -> None:
    """Give each listener the message. One that is lost stays seated until it leaves, and is given nothing."""
    for listener in listeners:
        if not listener.lost:
            listener.put(message)


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
