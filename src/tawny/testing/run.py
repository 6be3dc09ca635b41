"""Execute one attempt of a run here and now, by the worker's own code, with memory in place of the database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec
from uuid import UUID

from tawny.db.ids import uuid7
from tawny.errors import InvalidRequest
from tawny.jobs import LEVELS, App, Job
from tawny.jobs.outcome import encode_state
from tawny.runs import Claimed, Finish
from tawny.testing.attempt import TestAttempt
from tawny.testing.outcome import LogLine, Outcome
from tawny.workers.execute import execute
from tawny.workers.lifespan import entered

if TYPE_CHECKING:
    from asyncpg import Connection

_LEVEL_NAMES = {number: name for name, number in LEVELS.items()}


async def run_async(
    app: App,
    job_type: str,
    params: Mapping[str, Any] | None = None,
    *,
    project_id: UUID | str | None = None,
    team_id: UUID | str | None = None,
    attempt: int = 1,
    failures: int = 0,
    checkpoint: Any = None,
    state: Any = None,
    cancel_after: int | None = None,
    connection: Connection[Any] | None = None,
) -> Outcome:
    """Run one attempt of `job_type` to its end and return how it ended; what the handler raises becomes its failure, as ever.

    `params` are checked and coerced as a trigger's are: InvalidRequest where they do not fit. A project job gets new ids where
    none are given. `attempt`, `failures` and `checkpoint` are what an earlier attempt left. `state` is what `run.state` holds;
    where it is None, the app's lifespan is entered for this run. `cancel_after`: somebody asks for the run to stop once it has
    reported so much progress (0: from the beginning). `connection`: where `run.transaction()` writes, as a savepoint if a
    transaction is open, so that the test can roll it back. `isolate="process"` and timeouts are left out.
    """
    job = _job(app, job_type)
    project = job.scope == "project"
    sent = dict(params or {}) | ({"project_id": str(project_id or uuid7())} if project else {})
    job.params.check(sent)
    claimed = Claimed(
        id=uuid7(),
        attempt=attempt,
        job_type=job.name,
        team_id=UUID(str(team_id or uuid7())) if project else None,
        project_id=UUID(sent["project_id"]) if project else None,
        params=json.dumps(sent),
        checkpoint=None if checkpoint is None else encode_state(checkpoint),
        progress=None,
        timeout_seconds=None,
        failures=failures,
    )
    trying = TestAttempt(claimed, cancel_after=cancel_after, connection=connection)
    return _outcome(trying, await _executed(app, job, trying, state))


P = ParamSpec("P")


def _blocking(call: Callable[P, Coroutine[Any, Any, Outcome]]) -> Callable[P, Outcome]:
    @wraps(call)
    def blocking(*args: P.args, **kwargs: P.kwargs) -> Outcome:
        return asyncio.run(call(*args, **kwargs))

    return blocking


run = _blocking(run_async)
"""`run_async` for tests that are not async."""


def _job(app: App, job_type: str) -> Job:
    try:
        return app.jobs[job_type]
    except KeyError:
        raise InvalidRequest(f"The app has no job type {job_type!r}; it has {', '.join(app.jobs) or 'none'}.") from None


async def _executed(app: App, job: Job, trying: TestAttempt, state: Any) -> Finish:
    with ThreadPoolExecutor(1, thread_name_prefix="tawny-handler") as threads:
        if state is not None:
            finish = await execute(job, trying, threads, state)
        else:
            async with entered(app) as opened:
                finish = await execute(job, trying, threads, opened)
    assert finish is not None, "a lease that never ends cannot be lost"  # noqa: S101
    return finish


def _outcome(trying: TestAttempt, finish: Finish) -> Outcome:
    cancelled = trying.cancel_requested
    return Outcome(
        # As the database decides: who was asked to stop ends cancelled, whatever the handler did.
        status="cancelled" if cancelled else finish.status,
        result=None if finish.result is None else json.loads(finish.result),
        error=None if cancelled else finish.error,
        code=None if cancelled else finish.code,
        traceback=finish.traceback,
        delay=None if cancelled else finish.delay,
        checkpoint=None if trying.checkpoint is None else json.loads(trying.checkpoint),
        progress=tuple(trying.reports),
        logs=tuple(
            LogLine(_LEVEL_NAMES[line.level], line.message, json.loads(line.fields) if line.fields else {})  # type: ignore[arg-type]
            for line in trying.logs.next(trying.log_limit).lines
        ),
    )
