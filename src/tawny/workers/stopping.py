"""How an attempt is made to stop: what is tried, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, assert_never

import structlog

from tawny.jobs import Job
from tawny.runs import Claimed
from tawny.workers.attempt import Attempt
from tawny.workers.lease import now

log = structlog.get_logger()

Kind = Literal["async", "thread", "process"]
"""Where a handler runs: as a task of the handlers' loop, in a thread, in a process of its own."""

Reason = Literal["cancel", "timeout"]
"""Why it is to stop."""

_FROM_THEN_ON_ALONE = 2
"""After so many crashes since its last checkpoint, a run may be what kills its worker: it is executed in a process of its own."""


def kind_of(job: Job, claimed: Claimed, *, isolating: bool = True) -> Kind:
    """Where this attempt runs. `isolating`: whether this worker can start processes for runs of the app."""
    if isolating and not job.builtin and (job.isolate == "process" or claimed.crashes >= _FROM_THEN_ON_ALONE):
        return "process"
    return "async" if job.is_async else "thread"


@dataclass(frozen=True, slots=True)
class Plan:
    """Seconds from the wish to the interruption and to giving up. None: never, it has no effect or is not needed."""

    interrupt: float | None
    overdue: float | None


def plan(kind: Kind, reason: Reason, grace: float) -> Plan:
    """What is done about a handler that was told to stop and has not yet.

    A cancel leaves it `grace` to stop by itself, a timeout does not. A task is interrupted and has `grace` for that; a process is
    killed; a thread can only be waited for.
    """
    at_once = 0.0 if reason == "timeout" else grace
    match kind:
        case "async":
            return Plan(interrupt=at_once, overdue=at_once + grace)
        case "thread":
            return Plan(interrupt=None, overdue=grace)
        case "process":
            return Plan(interrupt=at_once, overdue=None)
    assert_never(kind)


class Stopping:
    """Carries these plans out, and watches timeouts. Lives in the control loop."""

    def __init__(self, jobs: Mapping[str, Job], overdue: Callable[[Attempt, Reason], None], *, isolating: bool) -> None:
        self._jobs = jobs
        self._isolating = isolating
        self._overdue = overdue
        self._timers: dict[Attempt, list[asyncio.TimerHandle]] = {}

    def watch(self, attempt: Attempt) -> None:
        """Stop it once it has taken longer than it may."""
        if attempt.claimed.timeout_seconds is not None:
            self._later(attempt, attempt.claimed.timeout_seconds, self._look_at_timeout)

    def cancel(self, attempt: Attempt) -> None:
        """Somebody asked for it to stop."""
        if not attempt.cancel_requested:
            attempt.cancel_requested = True
            self._stop(attempt, "cancel")

    def forget(self, attempt: Attempt) -> None:
        """Its handler is through."""
        for timer in self._timers.pop(attempt, ()):
            timer.cancel()

    def _look_at_timeout(self, attempt: Attempt) -> None:
        allowed = attempt.claimed.timeout_seconds or 0.0
        # Counted from its beginning: it may have had to wait for the handlers' loop.
        left = allowed if attempt.entered_at is None else attempt.entered_at + allowed - now()
        if left > 0:
            return self._later(attempt, left, self._look_at_timeout)
        log.warning("an attempt has timed out", run_id=str(attempt.run_id), timeout=allowed)
        attempt.timed_out = True
        return self._stop(attempt, "timeout")

    def _stop(self, attempt: Attempt, reason: Reason) -> None:
        job = self._jobs[attempt.claimed.job_type]
        planned = plan(kind_of(job, attempt.claimed, isolating=self._isolating), reason, job.cancel_grace)
        if planned.interrupt is not None:
            self._later(attempt, planned.interrupt, self._interrupt)
        if planned.overdue is not None:
            self._later(attempt, planned.overdue, lambda late: self._overdue(late, reason))

    def _interrupt(self, attempt: Attempt) -> None:
        if attempt.timed_out:
            attempt.told_of_timeout()
        attempt.stop_now()

    def _later(self, attempt: Attempt, seconds: float, do: Callable[[Attempt], None]) -> None:
        timer = asyncio.get_running_loop().call_later(seconds, do, attempt)
        self._timers.setdefault(attempt, []).append(timer)
