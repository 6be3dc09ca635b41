"""An attempt in this worker's hands."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from typing import Protocol
from uuid import UUID

from tawny.errors import LeaseLost
from tawny.jobs import Progress, Reported, Transaction, as_stored
from tawny.runs import Claimed, Held
from tawny.workers.lease import now
from tawny.workers.log_buffer import LogBuffer


class Deadline(Protocol):
    """Until when an attempt may act, on the clock of leases: a lease, or what stands for it in another process."""

    @property
    def deadline(self) -> float: ...


class Checkpoint:
    """A checkpoint on its way to the database."""

    __slots__ = ("attempt", "stored", "text")

    def __init__(self, attempt: Attempt, text: str) -> None:
        self.attempt = attempt
        self.text = text
        self.stored: Future[None] = Future()


class Attempt:
    """What the handler's thread and the control thread share about one attempt.

    It is the port through which a `Run` talks to its worker. Each attribute is written by one thread only and holds one object,
    so that no lock is needed: the handler reports to `progress` and the control thread reads it; the control thread writes
    `cancel_requested` and `timed_out` and the handler looks at them. `taken_away` is set by whoever notices, and never unset: a
    renewal that comes late may prolong the lease once more, but who was told that it is lost has acted on that.
    """

    __slots__ = (
        "_lease",
        "_save",
        "_stored",
        "cancel_requested",
        "claimed",
        "entered_at",
        "finishing",
        "interrupt",
        "interrupted",
        "knows_of_timeout",
        "logs",
        "open_transaction",
        "progress",
        "taken_away",
        "timed_out",
    )

    def __init__(self, claimed: Claimed, lease: Deadline, save: Callable[[Checkpoint], None]) -> None:
        self.claimed = claimed
        self.progress = Progress()
        self.logs = LogBuffer(claimed)
        self.cancel_requested = False
        self.timed_out = False
        self.knows_of_timeout = False
        self.taken_away = False
        self.finishing = False
        self.entered_at: float | None = None
        """When its handler began, on the clock of leases."""
        self.interrupted = False
        self.interrupt: Callable[[], None] | None = None
        """Stops the handler where that can be done, from any thread."""
        self.open_transaction: Callable[[Attempt], AbstractAsyncContextManager[Transaction]] | None = None
        self._lease = lease
        self._save = save
        self._stored: Reported | None = None

    @property
    def run_id(self) -> UUID:
        return self.claimed.id

    @property
    def held(self) -> Held:
        return self.claimed.id, self.claimed.attempt

    @property
    def lost(self) -> bool:
        """Whether this attempt may not act any more. Once true, it stays true."""
        if now() >= self._lease.deadline:
            self.taken_away = True
        return self.taken_away

    @property
    def deadline(self) -> float:
        """Until when it may act, on the clock of leases."""
        return 0.0 if self.taken_away else self._lease.deadline

    def enter(self, interrupt: Callable[[], None] | None) -> None:
        """Its handler begins. `interrupt` stops it, None where nothing can."""
        self.interrupt = interrupt
        self.entered_at = now()

    def stop_now(self) -> None:
        """Interrupt its handler, or keep it from beginning."""
        self.interrupted = True
        if self.interrupt is not None:
            self.interrupt()

    # The port

    def check_lease(self) -> None:
        if self.lost:
            raise LeaseLost("This attempt may not act any more: its worker lost the lease on the run.")

    def told_of_timeout(self) -> None:
        self.knows_of_timeout = True

    def add_log_line(self, level: int, message: str, fields_json: str | None) -> None:
        self.logs.add(level, message, fields_json)

    def save_checkpoint(self, state_json: str) -> Future[None]:
        checkpoint = Checkpoint(self, state_json)
        self._save(checkpoint)
        return checkpoint.stored

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        if self.open_transaction is None:
            raise RuntimeError("There is no database for run.transaction() here.")
        return self.open_transaction(self)

    # Progress

    def unstored_progress(self) -> Reported | None:
        """The latest report, when it is not in the database yet."""
        return self.progress.newer_than(self._stored)

    def progress_stored(self, reported: Reported) -> None:
        self._stored = reported

    def last_progress(self) -> str | None:
        """The latest report as it is stored, JSON; None when the handler never reported."""
        latest = self.progress.latest
        return None if latest is None else progress_json(latest)


def progress_json(reported: Reported) -> str:
    return json.dumps(as_stored(reported), ensure_ascii=False)
