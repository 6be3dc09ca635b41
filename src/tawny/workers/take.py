"""How a worker claims: in one statement, or in two where some of its job types limit how many of their runs run at once."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from tawny import runs
from tawny.db.pool import Connection
from tawny.jobs import Job
from tawny.runs import Claimed


class Take:
    """Takes due runs of these job types."""

    def __init__(self, jobs: Mapping[str, Job]) -> None:
        self._limits = {name: job.concurrency for name, job in jobs.items() if job.concurrency is not None}
        self._unlimited = [name for name in jobs if name not in self._limits]
        self._limited_first = False

    def is_limited(self, job_type: str) -> bool:
        return job_type in self._limits

    async def prepare(self, conn: Connection) -> None:
        """Make the places that limited types need."""
        if self._limits:
            await runs.set_places(conn, self._limits)

    async def __call__(self, conn: Connection, worker_id: UUID, slots: int) -> list[Claimed]:
        """Take up to `slots` runs. Limited and unlimited types go first by turns, so that neither starves the other."""
        if not self._limits:
            return await runs.claim(conn, worker_id, job_types=self._unlimited, slots=slots)
        self._limited_first = not self._limited_first
        claimed: list[Claimed] = []
        for limited in (self._limited_first, not self._limited_first):
            if len(claimed) < slots:
                claimed += await self._take(conn, worker_id, slots - len(claimed), limited=limited)
        return claimed

    async def _take(self, conn: Connection, worker_id: UUID, slots: int, *, limited: bool) -> list[Claimed]:
        if limited:
            return await runs.claim_seated(conn, worker_id, limits=self._limits, slots=slots)
        if not self._unlimited:
            return []
        return await runs.claim(conn, worker_id, job_types=self._unlimited, slots=slots)
