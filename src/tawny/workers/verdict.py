"""What becomes of a run, by what its handler did. Pure."""

from __future__ import annotations

import traceback
from asyncio import CancelledError
from pathlib import Path
from typing import Any, Final

from tawny.errors import InvalidRequest, JobFailed, RunCancelled
from tawny.jobs import Job, ResultError, clean_text, delay_before_retry, encode_result
from tawny.jobs.text import CUT_MARK, LIMIT
from tawny.runs import Finish
from tawny.workers.attempt import Attempt

_OURS: Final = str(Path(__file__).parent)


def of_return(job: Job, attempt: Attempt, value: Any, chance: float) -> Finish:
    """The handler returned this."""
    if attempt.knows_of_timeout:
        return timed_out(job, attempt, chance, result=value)
    try:
        return _finish(attempt, "completed", result=encode_result(value))
    except ResultError as error:
        return _failed(attempt, str(error), code=error.code)


def of_raise(job: Job, attempt: Attempt, error: BaseException, chance: float) -> Finish:
    """The handler raised this. `chance`, from 0 to 1, places the next attempt."""
    told_to_stop = isinstance(error, RunCancelled) or (isinstance(error, CancelledError) and attempt.interrupted)
    if attempt.cancel_requested and told_to_stop:
        return _finish(attempt, "cancelled")
    if attempt.knows_of_timeout:
        return timed_out(job, attempt, chance, result=error.result if isinstance(error, JobFailed) else None, error=error)
    if isinstance(error, JobFailed):
        failed = _failed(attempt, error.message, result=error.result, error=error)
        return _retried(job, attempt, failed, chance) if error.retry else failed
    message = f"{type(error).__name__}: {clean_text(error)}"
    return _retried(job, attempt, _failed(attempt, message, error=error), chance)


def never_began(attempt: Attempt) -> Finish:
    """It was to be interrupted before its handler could begin, which only a cancel brings about."""
    return _finish(attempt, "cancelled")


def killed(job: Job, attempt: Attempt, chance: float) -> Finish:
    """Its process was killed, because it did not stop when it was told to."""
    return _finish(attempt, "cancelled") if attempt.cancel_requested else timed_out(job, attempt, chance)


def broken(job: Job, attempt: Attempt, why: str, chance: float) -> Finish:
    """Its process was of no use, although it did not crash: it could not be started, or could not import the app."""
    return _retried(job, attempt, _failed(attempt, why, code="process_failed"), chance)


def of_misfit(attempt: Attempt, error: InvalidRequest) -> Finish:
    """The stored params do not fit the handler any more: no retry would change that."""
    return _failed(attempt, error.message, code=error.code)


def timed_out(job: Job, attempt: Attempt, chance: float, *, result: Any = None, error: BaseException | None = None) -> Finish:
    """The attempt took longer than it may."""
    message = f"This attempt took longer than its timeout of {attempt.claimed.timeout_seconds:g} seconds."
    # A traceback shows where it was interrupted.
    return _retried(job, attempt, _failed(attempt, message, code="timeout", result=result, error=error), chance)


def _failed(
    attempt: Attempt, message: str, *, code: str = "handler_failed", result: Any = None, error: BaseException | None = None
) -> Finish:
    try:
        encoded = encode_result(result)
    except ResultError:
        encoded = None  # the message matters more than a result that cannot be kept
    shown = None if error is None else traceback_of(error)
    return _finish(attempt, "failed", error=clean_text(message), code=code, traceback=shown, result=encoded)


def _retried(job: Job, attempt: Attempt, failed: Finish, chance: float) -> Finish:
    """This failure, or another attempt where the job type has retries left."""
    failures = attempt.claimed.failures + 1
    if failures > job.retries:
        return failed
    return _finish(
        attempt,
        "retrying",
        error=failed.error,
        code=failed.code,
        traceback=failed.traceback,
        delay=delay_before_retry(failures, chance),
    )


def _finish(attempt: Attempt, status: Any, **how: Any) -> Finish:
    return Finish(*attempt.held, status, progress=attempt.last_progress(), **how)


def traceback_of(error: BaseException) -> str | None:
    """The traceback as people read it, without our own frames and without values; its end when it is long. Never raises."""
    try:
        lines = list(traceback.TracebackException(type(error), error, _authors_part(error), compact=True).format())
    except BaseException:  # formatting asks the author's objects for their texts
        return None
    return _end_of(clean_text("".join(lines), 100 * LIMIT).rstrip())


def _authors_part(error: BaseException) -> Any:
    """The traceback from the first frame that is not ours."""
    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_code.co_filename.startswith(_OURS):
        frame = frame.tb_next
    return frame


def _end_of(text: str) -> str:
    encoded = text.encode()
    if len(encoded) <= LIMIT:
        return text
    mark = f"{CUT_MARK}\n"
    return mark + encoded[len(mark.encode()) - LIMIT :].decode(errors="ignore")
