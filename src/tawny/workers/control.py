"""The control loop: enlist, renew, claim and release, one after the other on one connection.

Because these four never overlap, what the database says to a renewal can be compared with what this worker knows.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from uuid import UUID

import asyncpg
import structlog

from tawny import __version__, runs
from tawny.db.pool import BUSY, UNREACHABLE, can_listen, connect
from tawny.jobs import Job
from tawny.runs import Claimed, Crash, Finish, Held, Renewed, Sign
from tawny.runs.wake import CHANNEL, NEW_RUN
from tawny.workers.attempt import Attempt, Checkpoint
from tawny.workers.backoff import Backoff
from tawny.workers.handlers import Ended
from tawny.workers.lease import Lease, now
from tawny.workers.memory import resident_bytes
from tawny.workers.stopping import Reason, Stopping
from tawny.workers.stuck import Stuck
from tawny.workers.take import Take
from tawny.workers.writer import Ending, Writer

log = structlog.get_logger()

POLL = 1.0
"""Seconds between two claims when nothing wakes this worker."""


class Control:
    """Knows what this worker holds, and keeps the database's idea of it the same."""

    def __init__(
        self,
        url: str,
        *,
        jobs: Mapping[str, Job],
        concurrency: int,
        lease: float,
        listen: bool,
        isolating: bool,
        start: Callable[[list[Attempt]], None],
        save: Callable[[Checkpoint], None],
        stuck: Callable[[], None],
    ) -> None:
        """`jobs`: the types whose runs are claimed. `stuck` is called once a handler does not stop."""
        self._url = url
        self._take = Take(jobs)
        self._concurrency = concurrency
        self._lease_seconds = lease
        self._listen = listen
        self._start = start
        self._save = save
        self._call_stuck = stuck
        self._stopping = Stopping(jobs, self._overdue, isolating=isolating)
        self.writer = Writer(url, self._stored, lease=lease)

        self._beat = min(1.0, lease / 5)
        self._lease: Lease | None = None
        self._held: dict[UUID, Attempt] = {}
        self._active: set[Attempt] = set()
        self.stuck = Stuck()
        self._to_release: list[Held] = []
        self._next_beat = 0.0
        self._pulse = 0.0
        self._next_claim = 0.0
        self._more_due = False
        self._claiming = True
        self._wake = asyncio.Event()
        self._quiet = asyncio.Event()
        self._quiet.set()
        # Reapers wait one lease for workers to come back once the database has.
        self._backoff = Backoff(longest=lease / 4)

    # What others tell this loop

    def ended(self, ended: list[Ended]) -> None:
        """These attempts' handlers are through."""
        endings: list[Ending] = []
        for attempt, how in ended:
            self._through(attempt)
            if how is None:
                self._give_up(attempt)
            else:
                attempt.finishing = True
                endings.append((attempt, how))
        self._deliver(endings)

    def _through(self, attempt: Attempt) -> None:
        self._active.discard(attempt)
        self.stuck.discard(attempt)
        self._stopping.forget(attempt)

    def _deliver(self, endings: list[Ending]) -> None:
        if endings:
            self.writer.end(endings)
        self._look_whether_quiet()
        if self._to_release:
            self._wake.set()
        self._claim_on()

    def _look_whether_quiet(self) -> None:
        if len(self._active) == len(self.stuck):
            self._quiet.set()

    def stop_claiming(self) -> None:
        self._claiming = False

    async def quiet(self) -> None:
        """Return once no handler is running, save those that do not stop."""
        await self._quiet.wait()

    def _overdue(self, attempt: Attempt, reason: Reason) -> None:
        self.stuck.add(attempt, reason)
        self.stop_claiming()
        self._look_whether_quiet()
        self._wake.set()
        self._call_stuck()

    def end_stuck(self, how: Callable[[Attempt], Finish]) -> None:
        """End, in this way, the attempts that timed out and do not stop. What they do from here on is refused."""
        timed_out = self.stuck.timed_out()
        for attempt in timed_out:
            attempt.finishing = attempt.taken_away = True
        if timed_out:
            self.writer.end([(attempt, how(attempt)) for attempt in timed_out])

    def _hear(self, _conn: object, _pid: int, _channel: str, message: object) -> None:
        if message == NEW_RUN:
            self._next_claim = 0.0
        elif self._lease is not None and message == str(self._lease.worker_id):
            self._next_beat = 0.0
        else:
            return
        self._wake.set()

    def _stored(self, endings: list[Ending]) -> None:
        for attempt, _ in endings:
            self._let_go(attempt)
        if any(isinstance(how, Crash) or self._take.is_limited(attempt.claimed.job_type) for attempt, how in endings):
            # A run that crashed is due at once, and places are free for runs that may have been due for long. A claim that is
            # under way has not seen them.
            self._next_claim = 0.0
            self._wake.set()
        self._claim_on()

    def _claim_on(self) -> None:
        """There may be room for runs that were due at the last claim."""
        if self._more_due:
            self._wake.set()

    # The loop

    async def run(self) -> None:
        """Serve until cancelled, through any number of connections."""
        while True:
            try:
                await self._serve_on(await connect(self._url, application="tawny-worker"))
            except UNREACHABLE as error:
                log.warning("the database is away; trying again", error=type(error).__name__)
            except BUSY as error:
                log.warning("the database cannot do this just now; trying again", error=type(error).__name__)
            except Exception:  # this loop must not end, whatever a driver raises on a dying connection
                log.exception("the database refused a statement of the control loop; trying again")
            await asyncio.sleep(self._backoff.next())

    async def _serve_on(self, conn: asyncpg.Connection) -> None:
        try:
            if self._listen and can_listen(conn):
                await conn.add_listener(CHANNEL, self._hear)
            self._next_beat = self._next_claim = 0.0
            while True:
                lease = await self._enlisted(conn)
                self._backoff.reset()
                while await self._turn(conn, lease):
                    await self._sleep()
        finally:
            conn.terminate()

    async def _enlisted(self, conn: asyncpg.Connection) -> Lease:
        """The lease there is, or a new one under another id where that has run out."""
        if self._lease is None or self._lease.over:
            self._abandon()
            sent_at = now()
            worker_id = await runs.enlist(conn, name=_name(), version=__version__, lease=self._lease_seconds)
            self._lease = Lease(worker_id, self._lease_seconds, sent_at)
            await self._take.prepare(conn)
            log.info("enlisted", worker_id=str(worker_id))
        return self._lease

    async def _turn(self, conn: asyncpg.Connection, lease: Lease) -> bool:
        """Do what is due. False once the lease is over."""
        if now() >= self._next_beat:
            await self._renew(conn, lease)
        await self.stuck.tell(conn)
        if self._to_release:
            await self._release(conn)
        if self._may_claim() and not lease.over:
            await self._claim(conn, lease)
        return not lease.over

    async def _sleep(self) -> None:
        if self._may_claim():
            return
        until = min(self._next_beat, self._next_claim) if self._slots() else self._next_beat
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, until - now())):
                await self._wake.wait()
        self._wake.clear()

    def _abandon(self) -> None:
        """Hold nothing any more: what handlers return from here on is given up, save what had ended in time."""
        if self._lease is not None:
            self._lease.end()
        for attempt in list(self._held.values()):
            if not attempt.finishing:
                attempt.taken_away = True
                del self._held[attempt.run_id]

    def _give_up(self, attempt: Attempt) -> None:
        """The handler of a lost attempt has stopped: nobody acts for it any more, so its run can be given back."""
        self._let_go(attempt)
        self._to_release.append(attempt.held)

    def _let_go(self, attempt: Attempt) -> None:
        """Hold it no longer. A later attempt of the same run may be in these hands by now, and stays there."""
        if self._held.get(attempt.run_id) is attempt:
            del self._held[attempt.run_id]

    # Renew

    async def _renew(self, conn: asyncpg.Connection, lease: Lease) -> None:
        sent_at = now()
        held = [attempt.held for attempt in self._held.values()]
        sign = Sign(self._pulse, resident_bytes(), draining=not self._claiming)
        renewed = await runs.renew(conn, lease.worker_id, lease=lease.seconds, held=held, sign=sign)
        self._pulse = now() - sent_at
        self._next_beat = sent_at + self._beat
        if renewed is None:
            return lease.end()
        lease.renewed(sent_at)
        self._heed(renewed)
        if renewed.claimed != lease.claimed:
            await self._return_unknown(conn, lease, renewed.claimed)
        return self.writer.flush([a for a in self._active if a.unstored_progress() or a.logs.unstored])

    def _heed(self, renewed: Renewed) -> None:
        for run_id in renewed.to_cancel & self._held.keys():
            self._stopping.cancel(self._held[run_id])
        for run_id in renewed.gone & self._held.keys():
            if not self._held[run_id].finishing:
                self._held.pop(run_id).taken_away = True

    async def _return_unknown(self, conn: asyncpg.Connection, lease: Lease, claimed: int) -> None:
        """The reply of a claim was lost: the database counts runs as ours that nobody here has seen."""
        unknown = [held for held in await runs.held_by(conn, lease.worker_id) if held[0] not in self._held]
        log.warning("giving back runs whose claim was answered to nobody", runs=len(unknown))
        async with conn.transaction():
            await runs.release(conn, unknown)
        lease.claimed = claimed
        self._next_claim = 0.0

    async def _release(self, conn: asyncpg.Connection) -> None:
        batch = self._to_release[:]
        async with conn.transaction():
            await runs.release(conn, batch)
        del self._to_release[: len(batch)]

    # Claim

    def _slots(self) -> int:
        """Runs that may be claimed now. Finishes that wait to be stored hold no slot, up to as many again."""
        if not self._claiming:
            return 0
        return min(self._concurrency - len(self._active), 2 * self._concurrency - len(self._held))

    def _may_claim(self) -> bool:
        return self._slots() > 0 and (self._more_due or now() >= self._next_claim)

    async def _claim(self, conn: asyncpg.Connection, lease: Lease) -> None:
        self._next_claim = now() + POLL
        claimed = await self._take(conn, lease.worker_id, self._slots())
        self._more_due = bool(claimed)
        if claimed:
            self._begin(lease, claimed)

    def _begin(self, lease: Lease, claimed: list[Claimed]) -> None:
        lease.claimed += len(claimed)
        attempts = [Attempt(run, lease, self._save) for run in claimed]
        self._held |= {attempt.run_id: attempt for attempt in attempts}
        self._active.update(attempts)
        self._quiet.clear()
        for attempt in attempts:
            self._stopping.watch(attempt)
        self._start(attempts)

    # Leave

    async def leave(self) -> None:
        """Give back whatever is left without a charge, and strike this worker off the list. Call it once `run` was cancelled."""
        known = [attempt.held for attempt in self._held.values()] + self._to_release
        self._abandon()
        if self._lease is None:
            return
        conn = await connect(self._url, application="tawny-worker")
        try:
            async with conn.transaction():
                await runs.leave(conn, self._lease.worker_id, known)
        finally:
            await conn.close()


def _name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
