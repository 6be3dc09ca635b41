"""The loop that handlers run in, and the threads for plain functions and for those who attend to processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any

from tawny.jobs import Job
from tawny.runs import Crash, Finish
from tawny.workers import verdict
from tawny.workers.attempt import Attempt
from tawny.workers.execute import execute
from tawny.workers.isolate import Isolation
from tawny.workers.stopping import kind_of
from tawny.workers.transactions import Transactions

Ended = tuple[Attempt, Finish | Crash | None]
"""An attempt whose handler is through, and how it ended; None when it may not say, because the lease was lost."""


class Handlers:
    """Runs attempts, and tells `ended` how each one ended. Lives on the handlers' loop."""

    def __init__(
        self,
        jobs: Mapping[str, Job],
        threads: Executor,
        ended: Callable[[Ended], None],
        *,
        transactions: Transactions,
        state: Any = None,
        isolation: Isolation | None = None,
    ) -> None:
        self._jobs = jobs
        self._threads = threads
        self._ended = ended
        self._transactions = transactions
        self._state = state
        self._isolation = isolation
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, attempts: list[Attempt]) -> None:
        """Begin to run these. Call it on the handlers' loop."""
        for attempt in attempts:
            task = asyncio.create_task(self._run(attempt))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, attempt: Attempt) -> None:
        job = self._jobs[attempt.claimed.job_type]
        self._ended((attempt, await self._executed(job, attempt)))

    async def _executed(self, job: Job, attempt: Attempt) -> Finish | Crash | None:
        kind = kind_of(job, attempt.claimed, isolating=self._isolation is not None)
        if kind == "process" and self._isolation is not None:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._isolation.run, job, attempt)
        attempt.open_transaction = self._transactions.open
        attempt.enter(_canceller_of_this_task() if kind == "async" else None)
        if attempt.interrupted:
            return None if attempt.lost else verdict.never_began(attempt)
        return await execute(job, attempt, self._threads, self._state)


def _canceller_of_this_task() -> Callable[[], None]:
    """What cancels the current task, from any thread."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def cancel() -> None:
        if task is not None:
            loop.call_soon_threadsafe(task.cancel)

    return cancel
