"""The writer: whatever attempts want stored, many of them in one statement, one statement at a time.

Endings, checkpoints, progress and log lines of a worker go through this one queue and one connection. On two connections they
would wait for each other, and each commit of its own costs a write to the disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from uuid import UUID

import asyncpg
import structlog

from tawny import runs
from tawny.db.pool import BUSY, UNREACHABLE, connect
from tawny.errors import LeaseLost
from tawny.runs import Crash, Finish
from tawny.workers.attempt import Attempt, Checkpoint
from tawny.workers.backoff import Backoff
from tawny.workers.part import Part, take_part

log = structlog.get_logger()

Ending = tuple[Attempt, Finish | Crash]


class Writer:
    """Stores what it is given, and keeps it until the database has said what became of it."""

    def __init__(self, url: str, ended: Callable[[list[Ending]], None], *, lease: float) -> None:
        self._url = url
        self._ended = ended
        self._endings: list[Ending] = []
        self._checkpoints: list[Checkpoint] = []
        self._to_flush: dict[UUID, Attempt] = {}
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._backoff = Backoff(longest=lease / 4)

    def end(self, endings: list[Ending]) -> None:
        """End these attempts, once what they logged is stored."""
        self._endings += endings
        self._wake()

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        self._checkpoints.append(checkpoint)
        self._wake()

    def flush(self, attempts: list[Attempt]) -> None:
        """Store the latest progress and the new log lines of these."""
        self._to_flush |= {attempt.run_id: attempt for attempt in attempts}
        self._wake()

    def _wake(self) -> None:
        self._idle.clear()
        self._work.set()

    async def drained(self) -> None:
        """Return once everything given so far is stored or refused."""
        await self._idle.wait()

    async def run(self) -> None:
        """Write until cancelled, through any number of connections."""
        while True:
            try:
                await self._write_on(await connect(self._url, application="tawny-writer"))
            except (*UNREACHABLE, *BUSY) as error:
                log.warning("cannot write; what is to be stored is kept", error=type(error).__name__)
            except Exception:  # this loop must not end, whatever a driver raises on a dying connection
                log.exception("a write failed; it is tried again")
            await asyncio.sleep(self._backoff.next())

    async def _write_on(self, conn: asyncpg.Connection) -> None:
        try:
            while True:
                await self._work.wait()
                self._work.clear()
                await self._write_all(conn)
                self._backoff.reset()
        finally:
            self._work.set()  # whatever could not be written is still there
            conn.terminate()

    async def _write_all(self, conn: asyncpg.Connection) -> None:
        while self._checkpoints or self._to_flush or self._endings:
            await self._write_checkpoints(conn)
            to_flush, self._to_flush = self._to_flush, {}
            await self._flush(conn, to_flush.values())
            await self._write_endings(conn)
        self._idle.set()

    # Endings

    async def _write_endings(self, conn: asyncpg.Connection) -> None:
        batch = self._endings[:]
        if not batch:
            return
        while with_logs := [attempt for attempt, _ in batch if attempt.logs.unstored and not attempt.taken_away]:
            await self._flush(conn, with_logs)
        ended = await _finish_all(conn, [ending for _, ending in batch if isinstance(ending, Finish)])
        ended |= await _take_back_all(conn, [ending for _, ending in batch if isinstance(ending, Crash)])
        del self._endings[: len(batch)]
        stale = [attempt.run_id for attempt, _ in batch if attempt.run_id not in ended]
        if stale:
            log.warning("the database refused what lost attempts returned", runs=[str(run_id) for run_id in stale])
        self._ended(batch)

    # Checkpoints

    async def _write_checkpoints(self, conn: asyncpg.Connection) -> None:
        batch = _first_of_each_run(self._checkpoints)
        if not batch:
            return
        stored = await runs.save_checkpoints(conn, [(c.attempt.held, c.text) for c in batch])
        self._checkpoints = [c for c in self._checkpoints if c not in batch]
        for checkpoint in batch:
            _answer(checkpoint, stored)

    # Progress and log lines

    async def _flush(self, conn: asyncpg.Connection, attempts: Iterable[Attempt]) -> None:
        """Store as much of these as one statement takes; the rest waits for the next beat, or for the end of the attempt."""
        parts = take_part(attempts)
        if not parts:
            return
        try:
            await runs.flush(conn, [part.flushed for part in parts])
        except asyncpg.DataError:
            await _flush_one_by_one(conn, parts)
        for part in parts:
            part.stored()


async def _flush_one_by_one(conn: asyncpg.Connection, parts: list[Part]) -> None:
    """One value that PostgreSQL does not take must not hold up the others. It is given up."""
    for part in parts:
        try:
            await runs.flush(conn, [part.flushed])
        except asyncpg.DataError:
            log.warning("progress or log lines were refused by the database", run_id=str(part.attempt.run_id))


def _first_of_each_run(checkpoints: list[Checkpoint]) -> list[Checkpoint]:
    """One statement can change a row once only; a later checkpoint of the same run waits for the next."""
    first: dict[UUID, Checkpoint] = {}
    for checkpoint in checkpoints:
        first.setdefault(checkpoint.attempt.run_id, checkpoint)
    return list(first.values())


def _answer(checkpoint: Checkpoint, stored: set[UUID]) -> None:
    if checkpoint.attempt.run_id in stored:
        checkpoint.stored.set_result(None)
    else:
        checkpoint.attempt.taken_away = True
        checkpoint.stored.set_exception(
            LeaseLost("This checkpoint was refused: the run is not in this attempt's hands any more.")
        )


async def _finish_all(conn: asyncpg.Connection, finishes: list[Finish]) -> dict[UUID, runs.Status]:
    if not finishes:
        return {}
    try:
        return await runs.finish(conn, finishes)
    except asyncpg.DataError:
        return await _finish_one_by_one(conn, finishes)


async def _finish_one_by_one(conn: asyncpg.Connection, finishes: list[Finish]) -> dict[UUID, runs.Status]:
    """One run's value that PostgreSQL does not take must not hold up the others."""
    ended: dict[UUID, runs.Status] = {}
    for finish in finishes:
        try:
            ended |= await runs.finish(conn, [finish])
        except asyncpg.DataError:
            ended |= await runs.finish(conn, [_without_values(finish)])
    return ended


def _without_values(finish: Finish) -> Finish:
    return replace(
        finish,
        status="failed",
        result=None,
        progress=None,
        error="The result cannot be stored: PostgreSQL does not take one of its values.",
        code="result_not_serialisable",
        traceback=None,
        delay=None,
    )


async def _take_back_all(conn: asyncpg.Connection, crashes: list[Crash]) -> dict[UUID, runs.Status]:
    return await runs.take_back(conn, crashes) if crashes else {}
