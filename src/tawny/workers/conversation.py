"""What a worker and the process of one attempt have to say to each other."""

from __future__ import annotations

import math
import select
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from random import random
from time import monotonic
from typing import Any, Final

from tawny.jobs import LEVELS, Job
from tawny.runs import Crash, Finish
from tawny.workers import verdict
from tawny.workers.attempt import Attempt
from tawny.workers.child import Child
from tawny.workers.handover import Handover
from tawny.workers.output import Output

_TICK: Final = 100
"""Milliseconds between two looks at the attempt and at the process, when the process says nothing."""

READY: Final = 60.0
"""Seconds in which a process must have imported the app and opened its lifespan."""

_GOODBYE: Final = 5.0
"""Seconds that a process has for closing what it opened, once its handler is through."""

_LAST_WORDS: Final = 1.0
"""Seconds in which what a dead process has printed is read. What it left behind may go on printing for ever."""


class Conversation:
    """Tells the process what becomes of the attempt, does for the attempt what the process asks for, and hears how it ended.

    It looks at the attempt as a handler does, and may be interrupted as one: by the kill of its process.
    """

    def __init__(self, job: Job, attempt: Attempt, child: Child) -> None:
        self._job = job
        self._attempt = attempt
        self._child = child
        self._channel = child.channel
        self._outputs = (
            Output(child.stdout, "stdout", LEVELS["info"], attempt.logs),
            Output(child.stderr, "stderr", LEVELS["warning"], attempt.logs),
        )
        self._sources: dict[int, Callable[[], bool]] = {
            self._channel.fileno(): self._hear,  # first: when little time is left, its ending matters most
            **{output.fileno(): output.read for output in self._outputs},
        }
        """What is read when there is something to read. False where there was nothing: nobody can write to it any more."""
        self._ready_by = monotonic() + READY
        self._gone_by = math.inf
        self._told_deadline = 0.0
        self._told_cancel = False
        self._has_ended = False
        self._finish: Finish | None = None

    def hold(self, handover: Handover) -> None:
        """Return once the process has exited, and whatever it had to say was heard."""
        self._channel.send("handover", handover.as_json())
        while not self._child.has_exited:
            self._look_after()
            self._tell()
            self._listen()
        self._child.kill()  # what it had started is not to outlive it
        self._hear_the_rest()

    def ending(self) -> Finish | Crash | None:
        """How the attempt ended; None when that may not be said, because the lease was lost."""
        if self._attempt.lost:
            return None
        if self._has_ended:
            return self._finish
        if self._attempt.interrupted:
            return verdict.killed(self._job, self._attempt, random())  # noqa: S311 (not a secret)
        return Crash(*self._attempt.held, f"its process {self._child.end}")

    # To the process

    def _look_after(self) -> None:
        if self._attempt.lost or monotonic() >= self._gone_by:
            self._child.kill()
        elif self._attempt.entered_at is None and not self._has_ended and monotonic() >= self._ready_by:
            self._break(f"Its process was not ready within {READY:g} seconds; the app or its lifespan takes too long to start.")

    def _tell(self) -> None:
        deadline = self._attempt.deadline
        if deadline != self._told_deadline:
            self._told_deadline = deadline
            self._channel.send("deadline", deadline)
        if self._attempt.cancel_requested and not self._told_cancel:
            self._told_cancel = True
            self._channel.send("cancel")

    def _answer(self, number: int, saved: Future[None]) -> None:
        """From the thread that saved the checkpoint."""
        error = saved.exception()
        self._channel.send("saved", [number, None if error is None else str(error)])

    # From the process

    def _listen(self) -> None:
        poll = select.poll()
        for source in self._sources:
            poll.register(source, select.POLLIN)
        if self._channel.push():
            poll.register(self._channel, select.POLLIN | select.POLLOUT)
        for source, event in poll.poll(_TICK):
            if event != select.POLLOUT and not self._sources[source]():
                del self._sources[source]

    def _hear_the_rest(self) -> None:
        until = monotonic() + _LAST_WORDS
        for read in self._sources.values():
            while read() and monotonic() < until:
                pass
        for output in self._outputs:
            output.end()

    def _hear(self) -> bool:
        try:
            messages = self._channel.receive()
            for kind, value in messages or ():
                self._heed(kind, value)
        except EOFError:
            return False
        except (ValueError, TypeError, LookupError):
            self._break("Its process said what its worker could not understand; something else writes to its channel.")
            return False
        return messages is not None

    def _heed(self, kind: str, value: Any) -> None:
        attempt = self._attempt
        match kind:
            case "began":
                attempt.enter(self._child.kill)
            case "progress":
                attempt.progress.report(value["processed"], value["total"], value.get("message"))
            case "log":
                for level, message, fields in value:
                    attempt.logs.add(level, message, fields)
            case "dropped":
                attempt.logs.drop(value)
            case "checkpoint":
                number, state = value
                attempt.save_checkpoint(state).add_done_callback(partial(self._answer, number))
            case "broken":
                self._end(verdict.broken(self._job, attempt, value, random()))  # noqa: S311 (not a secret)
            case "ended":
                self._end(None if value is None else Finish(*attempt.held, **value))

    def _end(self, finish: Finish | None) -> None:
        self._has_ended = True
        self._finish = finish
        self._gone_by = monotonic() + _GOODBYE

    def _break(self, why: str) -> None:
        self._end(verdict.broken(self._job, self._attempt, why, random()))  # noqa: S311 (not a secret)
        self._child.kill()
