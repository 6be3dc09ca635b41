"""Attempts whose handler was told to stop and does not. Only the end of this process ends it."""

from __future__ import annotations

import asyncio

import structlog

from tawny import runs
from tawny.db.pool import Connection
from tawny.runs import Held
from tawny.workers.attempt import Attempt
from tawny.workers.stopping import Reason

log = structlog.get_logger()


class Stuck:
    """Who they are, why they were told, and whether the database knows. Lives in the control loop."""

    def __init__(self) -> None:
        self._attempts: dict[Attempt, Reason] = {}
        self._to_tell: list[tuple[Held, Reason]] = []
        self._told = asyncio.Event()

    def __len__(self) -> int:
        return len(self._attempts)

    def add(self, attempt: Attempt, reason: Reason) -> None:
        log.error("a handler does not stop", run_id=str(attempt.run_id), job_type=attempt.claimed.job_type, told=reason)
        self._attempts[attempt] = reason
        self._to_tell.append((attempt.held, reason))
        self._told.clear()

    def discard(self, attempt: Attempt) -> None:
        """It has stopped after all."""
        self._attempts.pop(attempt, None)

    def timed_out(self) -> list[Attempt]:
        """Those that may still act and were told because of their timeout."""
        return [attempt for attempt, reason in self._attempts.items() if reason == "timeout" and not attempt.lost]

    async def tell(self, conn: Connection) -> None:
        """Leave the facts about them that are not stored yet."""
        batch = self._to_tell[:]
        if batch:
            await runs.mark_overdue(conn, batch)
            del self._to_tell[: len(batch)]
        if not self._to_tell:
            self._told.set()

    async def told(self) -> None:
        """Return once these facts are stored."""
        await self._told.wait()
