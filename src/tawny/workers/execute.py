"""One attempt, from claimed to ended: the only place where authors' code runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any

from tawny.errors import InvalidRequest, JobFailed, LeaseLost, RunCancelled
from tawny.jobs import Job, ResultError, Run, clean_text, encode_result
from tawny.runs import Finish
from tawny.workers.attempt import Attempt

Ended = tuple[Attempt, Finish | None]
"""An attempt whose handler is through, and how it ended; None when it may not say, because the lease was lost."""


async def execute(job: Job, attempt: Attempt, threads: Executor) -> Finish | None:
    """Run the handler of `job` for this attempt and say how it ended. Never raises what a handler raised."""
    try:
        run, arguments = _prepare(job, attempt)
        value = await _call(job, run, arguments, threads)
        return None if attempt.lost else _returned(attempt, value)
    except BaseException as error:
        return None if attempt.lost else _raised(attempt, error)


def _prepare(job: Job, attempt: Attempt) -> tuple[Run, Mapping[str, Any]]:
    claimed = attempt.claimed
    stored = json.loads(claimed.params) if claimed.params else {}
    arguments = job.params.check(stored)
    run = Run(
        attempt,
        id=claimed.id,
        job_type=job.name,
        attempt=claimed.attempt,
        team_id=claimed.team_id,
        project_id=claimed.project_id,
        params=arguments,
        checkpoint=claimed.checkpoint,
    )
    return run, arguments


async def _call(job: Job, run: Run, arguments: Mapping[str, Any], threads: Executor) -> Any:
    if job.is_async:
        return await job.handler(run, **arguments)
    return await asyncio.get_running_loop().run_in_executor(threads, lambda: job.handler(run, **arguments))


def _returned(attempt: Attempt, value: Any) -> Finish:
    try:
        return _finish(attempt, "completed", result=encode_result(value))
    except ResultError as error:
        return _failed(attempt, str(error), code="result_not_serialisable")


def _raised(attempt: Attempt, error: BaseException) -> Finish | None:
    match error:
        case LeaseLost():
            return None
        case RunCancelled() if attempt.cancel_requested:
            return _finish(attempt, "cancelled")
        case JobFailed():
            return _failed(attempt, error.message, result=error.result)
        case InvalidRequest():
            return _failed(attempt, error.message, code=error.code)
        case _:
            return _failed(attempt, f"{type(error).__name__}: {clean_text(error)}")


def _failed(attempt: Attempt, message: str, *, code: str | None = None, result: Any = None) -> Finish:
    try:
        encoded = encode_result(result)
    except ResultError:
        encoded = None  # the message matters more than a result that cannot be kept
    return _finish(attempt, "failed", error=clean_text(message), code=code or "handler_failed", result=encoded)


def _finish(attempt: Attempt, status: Any, **how: Any) -> Finish:
    return Finish(*attempt.held, status, progress=attempt.last_progress(), **how)


class Handlers:
    """The loop that handlers run in, and the threads for plain functions."""

    def __init__(self, jobs: Mapping[str, Job], threads: Executor, ended: Callable[[Ended], None]) -> None:
        self._jobs = jobs
        self._threads = threads
        self._ended = ended
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, attempts: list[Attempt]) -> None:
        """Begin to run these. Call it on the handlers' loop."""
        for attempt in attempts:
            task = asyncio.create_task(self._run(attempt))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, attempt: Attempt) -> None:
        finish = await execute(self._jobs[attempt.claimed.job_type], attempt, self._threads)
        self._ended((attempt, finish))
