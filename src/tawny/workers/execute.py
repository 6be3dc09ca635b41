"""One attempt, from claimed to ended: the only place where authors' code runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from random import random
from typing import Any

from tawny.errors import InvalidRequest
from tawny.jobs import Job, Run
from tawny.runs import Finish
from tawny.workers import verdict
from tawny.workers.attempt import Attempt


async def execute(job: Job, attempt: Attempt, threads: Executor, state: Any = None) -> Finish | None:
    """Run the handler of `job` for this attempt and say how it ended; None when that may not be said, because the lease was lost.

    Never raises what a handler raised. `state` is what the app's lifespan opened.
    """
    try:
        arguments = job.params.check(json.loads(attempt.claimed.params) if attempt.claimed.params else {})
    except InvalidRequest as error:
        return verdict.of_misfit(attempt, error)
    run = _run(job, attempt, arguments, state)
    value, raised = await _call(job, run, arguments, threads)
    if attempt.lost:
        return None
    if raised is not None:
        return verdict.of_raise(job, attempt, raised, random())  # noqa: S311 (not a secret)
    return verdict.of_return(job, attempt, value, random())  # noqa: S311


def _run(job: Job, attempt: Attempt, arguments: Mapping[str, Any], state: Any) -> Run:
    claimed = attempt.claimed
    return Run(
        attempt,
        id=claimed.id,
        job_type=job.name,
        attempt=claimed.attempt,
        team_id=claimed.team_id,
        project_id=claimed.project_id,
        params=arguments,
        checkpoint=claimed.checkpoint,
        state=state,
    )


Called = tuple[Any, BaseException | None]
"""What a handler returned, or raised."""


async def _call(job: Job, run: Run, arguments: Mapping[str, Any], threads: Executor) -> Called:
    if not job.is_async:
        # The error is handed over as a value: a future refuses some, and would keep its waiter waiting for ever.
        return await asyncio.get_running_loop().run_in_executor(threads, _call_plain, job.handler, run, arguments)
    try:
        return await job.handler(run, **arguments), None
    except BaseException as error:
        return None, error


def _call_plain(handler: Callable[..., Any], run: Run, arguments: Mapping[str, Any]) -> Called:
    try:
        return handler(run, **arguments), None
    except BaseException as error:
        return None, error
