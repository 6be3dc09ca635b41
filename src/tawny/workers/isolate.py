"""Attempts that run in a process of their own: what they do to it costs nobody else."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from random import random
from typing import Final

from tawny.jobs import Job
from tawny.runs import Crash, Finish
from tawny.workers import verdict
from tawny.workers.attempt import Attempt
from tawny.workers.child import Child
from tawny.workers.conversation import Conversation
from tawny.workers.handover import Handover

_DEATH: Final = 3.0
"""Seconds to wait for the burial of killed processes. They act no more from the moment of their kill."""

_SUSPECTS: Final = 4
"""How many runs at once have a process only because they crashed. A worker that died with a hundred runs in its hands, perhaps
for lack of memory, must not start a hundred processes in its place."""


class Isolation:
    """Starts a process for each attempt that it is given, and leaves none when it ends."""

    def __init__(self, app: str, url: str) -> None:
        """`app`: where the author's app is, `module:attribute`. `url`: the database."""
        self._app = app
        self._url = url
        self._children: set[Child] = set()
        self._change = threading.Condition()
        self._suspects = threading.Semaphore(_SUSPECTS)
        self._over = False

    def run(self, job: Job, attempt: Attempt) -> Finish | Crash | None:
        """Run this attempt in a process, and say how it ended; None when that may not be said, as with `execute`.

        Blocks, and must have its thread for itself: the process dies with it.
        """
        if job.isolate is not None:
            return self._run(job, attempt)
        with self._suspects:
            return None if attempt.lost or self._over else self._run(job, attempt)

    def _run(self, job: Job, attempt: Attempt) -> Finish | Crash | None:
        try:
            child = Child()
        except OSError as error:
            why = f"A process for this run could not be started: {error.strerror}."
            return verdict.broken(job, attempt, why, random())  # noqa: S311 (not a secret)
        with self._known(child):
            attempt.interrupt = child.kill
            if attempt.interrupted:
                child.kill()
            conversation = Conversation(job, attempt, child)
            conversation.hold(Handover(attempt.claimed, self._app, self._url, attempt.deadline, os.getpid()))
            ending = conversation.ending()
        return None if isinstance(ending, Crash) and self._over else ending

    @contextmanager
    def _known(self, child: Child) -> Iterator[None]:
        """Let `end` find this child until it is buried."""
        with self._change:
            self._children.add(child)
            if self._over:
                child.kill()
        try:
            yield
        finally:
            child.bury()
            with self._change:
                self._children.discard(child)
                self._change.notify_all()

    def end(self) -> None:
        """Kill what still runs, without a charge, and whatever would be started from here on. Blocks until it is buried."""
        with self._change:
            self._over = True
            for child in self._children:
                child.kill()
            self._change.wait_for(lambda: not self._children, _DEATH)
