"""A Port in memory, so that handlers run without a server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tawny.errors import LeaseLost
from tawny.jobs import Job, Progress, Run, as_stored

RUN_ID = UUID("0190a6e0-0000-7000-8000-000000000001")
TEAM_ID = UUID("0190a6e0-0000-7000-8000-000000000002")
PROJECT_ID = UUID("0190a6e0-0000-7000-8000-000000000003")


class RecordingProgress(Progress):
    """Progress that remembers every report, as it would have been stored."""

    __slots__ = ("reports",)

    def __init__(self) -> None:
        super().__init__()
        self.reports: list[dict[str, object]] = []

    def report(self, *given: Any) -> None:
        super().report(*given)
        assert self.latest is not None
        self.reports.append(as_stored(self.latest))


@dataclass
class FakePort:
    """Remembers what a run wrote; told when to lose its lease or to ask for a cancel."""

    progress: RecordingProgress = field(default_factory=RecordingProgress)
    checkpoints: list[Any] = field(default_factory=list)
    logged: list[tuple[int, str, str | None]] = field(default_factory=list)
    transactions: list[Any] = field(default_factory=list)
    """What `transaction()` hands out, one after the other."""
    cancel_requested: bool = False
    timed_out: bool = False
    told: bool = False
    lease_lost: bool = False
    waiting: list[Future[None]] | None = None
    """Given a list, checkpoints are not durable until somebody resolves them."""

    @property
    def reports(self) -> list[dict[str, object]]:
        return self.progress.reports

    def check_lease(self) -> None:
        if self.lease_lost:
            raise LeaseLost("This attempt may not act any more.")

    def told_of_timeout(self) -> None:
        self.told = True

    def add_log_line(self, level: int, message: str, fields_json: str | None) -> None:
        self.logged.append((level, message, fields_json))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        yield self.transactions.pop(0)

    def save_checkpoint(self, state_json: str) -> Future[None]:
        saved: Future[None] = Future()
        self.checkpoints.append(json.loads(state_json))
        if self.waiting is None:
            saved.set_result(None)
        else:
            self.waiting.append(saved)
        return saved


def make_run(port: FakePort, **changes: Any) -> Run:
    """A run of project work, on its first attempt."""
    return Run(port, **{"id": RUN_ID, "job_type": "a_job", "team_id": TEAM_ID, "project_id": PROJECT_ID, **changes})


def call(job: Job, port: FakePort, sent: dict[str, Any], **changes: Any) -> Any:
    """Call the handler as a worker does: with params coerced from what was sent."""
    params = job.params.check({**sent, "project_id": str(PROJECT_ID)})
    return job.handler(make_run(port, job_type=job.name, params=params, **changes), **params)
