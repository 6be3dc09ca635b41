"""The writer: whatever attempts want stored, many of them in one statement, one statement at a time.

Finishes, checkpoints and progress of a worker go through this one queue and one connection. On two connections they deadlock with
each other, and each commit of its own costs a write to the disk.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import asyncpg
import structlog

from tawny import runs
from tawny.db.pool import UNREACHABLE, connect
from tawny.errors import LeaseLost
from tawny.jobs.progress import as_stored
from tawny.runs import Finish, Flushed
from tawny.workers.attempt import Attempt, Checkpoint
from tawny.workers.backoff import Backoff

log = structlog.get_logger()


class Writer:
    """Stores what it is given, and keeps it until the database has said what became of it."""

    def __init__(self, url: str, ended: Callable[[list[UUID]], None]) -> None:
        self._url = url
        self._ended = ended
        self._finishes: list[Finish] = []
        self._checkpoints: list[Checkpoint] = []
        self._progress: dict[UUID, Attempt] = {}
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._backoff = Backoff()

    def finish(self, finishes: list[Finish]) -> None:
        self._finishes += finishes
        self._wake()

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        self._checkpoints.append(checkpoint)
        self._wake()

    def flush(self, attempts: list[Attempt]) -> None:
        """Store the latest progress of these."""
        self._progress |= {attempt.run_id: attempt for attempt in attempts}
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
            except UNREACHABLE as error:
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
        while self._checkpoints or self._progress or self._finishes:
            await self._write_checkpoints(conn)
            await self._write_progress(conn)
            await self._write_finishes(conn)
        self._idle.set()

    async def _write_finishes(self, conn: asyncpg.Connection) -> None:
        batch = self._finishes[:]
        if not batch:
            return
        try:
            ended = await runs.finish(conn, batch)
        except asyncpg.DataError:
            ended = await _finish_one_by_one(conn, batch)
        del self._finishes[: len(batch)]
        stale = [f.run_id for f in batch if f.run_id not in ended]
        if stale:
            log.warning("the database refused what lost attempts returned", runs=[str(run_id) for run_id in stale])
        self._ended([f.run_id for f in batch])

    async def _write_checkpoints(self, conn: asyncpg.Connection) -> None:
        batch = _first_of_each_run(self._checkpoints)
        if not batch:
            return
        stored = await runs.save_checkpoints(conn, [(c.attempt.held, c.text) for c in batch])
        self._checkpoints = [c for c in self._checkpoints if c not in batch]
        for checkpoint in batch:
            _answer(checkpoint, stored)

    async def _write_progress(self, conn: asyncpg.Connection) -> None:
        told = {attempt: told for attempt in self._progress.values() if (told := attempt.unstored_progress())}
        self._progress.clear()
        if not told:
            return
        await runs.flush(conn, [Flushed(attempt.held, json.dumps(as_stored(progress))) for attempt, progress in told.items()])
        for attempt, progress in told.items():
            attempt.progress_stored(progress)


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
        checkpoint.stored.set_exception(
            LeaseLost("This checkpoint was refused: the run is not in this attempt's hands any more.")
        )


async def _finish_one_by_one(conn: asyncpg.Connection, batch: list[Finish]) -> dict[UUID, runs.Status]:
    """One run's value that PostgreSQL does not take must not hold up the others."""
    ended: dict[UUID, runs.Status] = {}
    for finish in batch:
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
    )
