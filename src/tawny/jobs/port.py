"""What a Run needs of whoever executes it. The worker implements it with a lease and a database, tests with memory."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Protocol

from tawny.jobs.progress import Progress


class Port(Protocol):
    """One attempt's way to the machinery. Every member may be used from any thread."""

    @property
    def progress(self) -> Progress:
        """Where the attempt leaves its progress, and where a flush picks it up. The same object for the whole attempt."""
        ...

    def check_lease(self) -> None:
        """Raise LeaseLost once this attempt may not act any more. Costs a comparison; no I/O."""
        ...

    @property
    def cancel_requested(self) -> bool:
        """Whether somebody asked for this run to stop. Costs a read; no I/O."""
        ...

    def save_checkpoint(self, state_json: str) -> Future[None]:
        """Ask for this JSON text to be stored as the run's checkpoint, without waiting.

        The future resolves once it is durable, and fails with LeaseLost where this attempt lost the run. It always ends, also
        when the worker stops. Its waiter never cancels it.
        """
        ...
