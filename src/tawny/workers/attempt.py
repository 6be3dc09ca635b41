"""An attempt in this worker's hands."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future
from uuid import UUID

from tawny.errors import LeaseLost
from tawny.jobs.progress import Progress, Reported, as_stored
from tawny.runs import Claimed, Held
from tawny.workers.lease import Lease, now


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
    `cancel_requested` and `taken_away` and the handler looks at them.
    """

    __slots__ = ("_lease", "_save", "_stored", "cancel_requested", "claimed", "finishing", "progress", "taken_away")

    def __init__(self, claimed: Claimed, lease: Lease, save: Callable[[Checkpoint], None]) -> None:
        self.claimed = claimed
        self.progress = Progress()
        self.cancel_requested = False
        self.taken_away = False
        self.finishing = False
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
        """Whether this attempt may not act any more."""
        return self.taken_away or now() >= self._lease.deadline

    def check_lease(self) -> None:
        if self.taken_away or now() >= self._lease.deadline:
            raise LeaseLost("This attempt may not act any more: its worker lost the lease on the run.")

    def save_checkpoint(self, state_json: str) -> Future[None]:
        checkpoint = Checkpoint(self, state_json)
        self._save(checkpoint)
        return checkpoint.stored

    def unstored_progress(self) -> Reported | None:
        """The latest report, when it is not in the database yet."""
        return self.progress.newer_than(self._stored)

    def progress_stored(self, reported: Reported) -> None:
        self._stored = reported

    def last_progress(self) -> str | None:
        """The latest report as it is stored, JSON; None when the handler never reported."""
        latest = self.progress.latest
        return None if latest is None else json.dumps(as_stored(latest), ensure_ascii=False)
