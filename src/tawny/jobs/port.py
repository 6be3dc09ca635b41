"""What a Run needs of whoever executes it. The worker implements it with a lease and a database, tests with memory."""

from __future__ import annotations

from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol

from tawny.jobs.progress import Progress

if TYPE_CHECKING:
    from tawny.jobs.transaction import Transaction


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

    @property
    def timed_out(self) -> bool:
        """Whether this attempt has taken longer than it may. Costs a read; no I/O."""
        ...

    def told_of_timeout(self) -> None:
        """Note that the handler knows it: whatever it does from here on, the attempt has timed out."""
        ...

    def add_log_line(self, level: int, message: str, fields_json: str | None) -> None:
        """Keep a line, whose texts are clean and bounded, for the log of the run. No I/O."""
        ...

    def save_checkpoint(self, state_json: str) -> Future[None]:
        """Ask for this JSON text to be stored as the run's checkpoint, without waiting.

        The future resolves once it is durable, and fails with LeaseLost where this attempt lost the run. It always ends, also
        when the worker stops. Its waiter never cancels it.
        """
        ...

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction on the database that commits, with its checkpoint, only while this attempt has the run."""
        ...
