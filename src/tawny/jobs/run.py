"""What a handler holds in its hands while it runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any, TypeVar, overload
from uuid import UUID

from tawny.errors import RunCancelled, RunTimedOut
from tawny.jobs.done import DONE
from tawny.jobs.log import Log
from tawny.jobs.outcome import encode_state
from tawny.jobs.port import Port
from tawny.jobs.progress import Template
from tawny.jobs.transaction import Transaction

T = TypeVar("T")


class Run:
    """One run, as its handler sees it. Made by Tawny; may be used from every thread that the handler starts.

    Every call compares the lease first and raises LeaseLost once this attempt may not act any more.
    """

    def __init__(
        self,
        port: Port,
        *,
        id: UUID,  # noqa: A002  # the author's word is `run.id`
        job_type: str,
        attempt: int = 1,
        team_id: UUID | None = None,
        project_id: UUID | None = None,
        params: Mapping[str, Any] | None = None,
        checkpoint: str | None = None,
        state: Any = None,
    ) -> None:
        """`params` as the schema coerced them; `checkpoint` is the JSON text that an earlier attempt saved last."""
        self.id = id
        """The run's id, the same in every attempt."""
        self.attempt = attempt
        """Which try this is: 1 for the first, higher after a crash, a release or a retry."""
        self.job_type = job_type
        self.team_id = team_id
        """The team; None for a system run."""
        self.project_id = project_id
        """The project that was checked against the caller's rights; None for a system run."""
        self.params: Mapping[str, Any] = MappingProxyType(dict(params or {}))
        """What the handler was called with, by name. Read-only."""
        self.state = state
        """What the app's `lifespan` opened for this worker, None without one."""
        self.log = Log(port)
        """The log that is kept with the run: `run.log.info("Exported", rows=20)`."""
        self._port = port
        self._checkpoint = checkpoint
        # Looked up once: `progress` may be called a million times.
        self._check_lease = port.check_lease
        self._report = port.progress.report

    def __repr__(self) -> str:
        return f"<Run {self.job_type} {self.id} attempt {self.attempt}>"

    @property
    def idempotency_key(self) -> str:
        """A key for calls to other services: the same in every attempt of this run, and different for every run."""
        return str(self.id)

    def progress(self, processed: int, total: int | None = None, message: str | None = None) -> None:
        """Report how far the run is. Cheap: nothing is sent; the latest report is stored about once a second.

        `processed` and `total` are whole numbers from 0. A total once given stays until another is given; 0 means not known.
        `processed` is held to the total and never goes back within an attempt. A message is cleaned and cut at 10 KB.
        ValueError for anything else.
        """
        self._check_lease()
        if message is not None and not isinstance(message, str):
            raise ValueError(f"The message of a progress must be text, not {type(message).__name__}.")
        self._report(processed, total, message)

    @overload
    def track(self, items: Iterable[T], total: int | None = None, message: str | None = None) -> Iterator[T]: ...
    @overload
    def track(self, items: AsyncIterable[T], total: int | None = None, message: str | None = None) -> AsyncIterator[T]: ...
    def track(
        self, items: Iterable[T] | AsyncIterable[T], total: int | None = None, message: str | None = None
    ) -> Iterator[T] | AsyncIterator[T]:
        """Hand out the items one by one, and report progress after each; `for`, or `async for` over an async iterable.

        Raises RunCancelled in place of the next item once somebody asked for the run to stop, and RunTimedOut, which is one, once
        the attempt has taken longer than its job type's `timeout`. `total` is `len(items)` where
        there is one. `message` may hold `{processed}` and `{total}` in braces, and nothing else. A loop that is left early
        leaves the progress of the items it finished.
        """
        template = None if message is None else Template(message)
        total = _length(items) if total is None else total
        if isinstance(items, AsyncIterable) and not isinstance(items, Iterable):
            return self._each_async(items, total, template)
        return self._each(items, total, template)

    def _each(self, items: Iterable[T], total: int | None, template: Template | None) -> Iterator[T]:
        check, report = self.check_cancelled, self._report
        self._check_lease()
        report(0, total, template)
        for processed, item in enumerate(items, 1):
            check()
            yield item
            self._check_lease()
            report(processed, total, template)

    async def _each_async(self, items: AsyncIterable[T], total: int | None, template: Template | None) -> AsyncIterator[T]:
        check, report = self.check_cancelled, self._report
        self._check_lease()
        report(0, total, template)
        processed = 0
        async for item in items:
            check()
            yield item
            self._check_lease()
            processed += 1
            report(processed, total, template)

    @property
    def cancelled(self) -> bool:
        """Whether this attempt should stop: somebody asked for it, or its timeout has passed.

        Return early then. What you return is kept as the result.
        """
        self._check_lease()
        if self._port.cancel_requested:
            return True
        if self._port.timed_out:
            self._port.told_of_timeout()
            return True
        return False

    def check_cancelled(self) -> None:
        """Raise RunCancelled once somebody asked for this run to stop, and RunTimedOut once its timeout has passed."""
        if not self.cancelled:
            return
        if self._port.cancel_requested:
            raise RunCancelled("Somebody asked for this run to stop.")
        raise RunTimedOut("This attempt has taken longer than it may.")

    def checkpoint(self, state: object) -> Awaitable[None]:
        """Save where a later attempt should go on: `await run.checkpoint(state)`; a plain handler's call simply blocks.

        Durable and fenced when it returns. `state` is any JSON value up to 1 MiB, taken as it is now; ValueError otherwise.
        LeaseLost where another worker has the run.
        """
        self._check_lease()
        text = encode_state(state)
        saved = self._port.save_checkpoint(text)
        if _in_a_loop():
            return self._saved(saved, text)
        saved.result()
        self._checkpoint = text
        return DONE

    async def _saved(self, saved: Future[None], text: str) -> None:
        # Shielded: a handler that is cancelled stops waiting, but what the worker is about to write stays as it is.
        await asyncio.shield(asyncio.wrap_future(saved))
        self._checkpoint = text

    @property
    def checkpointed(self) -> Any:
        """The state saved last, by this attempt or one before it; None where there is none. A fresh copy each time."""
        self._check_lease()
        return None if self._checkpoint is None else json.loads(self._checkpoint)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Write to Tawny's own database: `async with run.transaction() as tx: await tx.execute(...)`.

        Rows and `tx.checkpoint(state)` are committed together when the block ends, and only if this attempt still has the run:
        LeaseLost otherwise, and nothing is stored. After 10 seconds TimeoutError, and nothing is stored. For async handlers.
        """
        self._check_lease()
        async with self._port.transaction() as tx:
            yield tx
        if tx.state is not None:
            self._checkpoint = tx.state


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _length(items: object) -> int | None:
    """The number of items, where asking for it is meant to work."""
    try:
        return len(items)  # type: ignore[arg-type]  # whether it has a length is the question
    except TypeError:
        return None
