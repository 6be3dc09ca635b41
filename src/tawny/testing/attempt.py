"""An attempt whose lease never ends and that writes into memory."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from tawny.jobs import Progress as Reports
from tawny.jobs import Transaction, as_stored
from tawny.runs import Claimed
from tawny.testing.outcome import Progress
from tawny.workers.attempt import Attempt
from tawny.workers.lease import Lease
from tawny.workers.log_buffer import LINES

if TYPE_CHECKING:
    from asyncpg import Connection


class TestAttempt(Attempt):
    """Remembers every report and the last checkpoint."""

    __test__ = False  # pytest collects what is called Test…
    __slots__ = ("_connection", "checkpoint", "log_limit", "reports")

    def __init__(self, claimed: Claimed, *, cancel_after: int | None, connection: Connection[Any] | None) -> None:
        super().__init__(claimed, Lease(claimed.id, math.inf, 0.0), save=lambda _: None)
        self.checkpoint = claimed.checkpoint
        self.log_limit = LINES
        self.reports: list[Progress] = []
        self.progress = _Remembering(self, cancel_after)
        self.cancel_requested = cancel_after == 0
        self._connection = connection

    def save_checkpoint(self, state_json: str) -> Future[None]:
        self.checkpoint = state_json
        saved: Future[None] = Future()
        saved.set_result(None)
        return saved

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        if self._connection is None:
            raise RuntimeError("This handler uses run.transaction(): give the test's run a `connection`, an asyncpg connection.")
        async with self._connection.transaction():
            tx = Transaction(self._connection)
            yield tx
        self.checkpoint = tx.state or self.checkpoint


class _Remembering(Reports):
    __slots__ = ("_attempt", "_cancel_after")

    def __init__(self, attempt: TestAttempt, cancel_after: int | None) -> None:
        super().__init__()
        self._attempt = attempt
        self._cancel_after = cancel_after

    def report(self, *given: Any) -> None:
        super().report(*given)
        if self.latest is None:
            return
        processed, total, _ = self.latest
        message = as_stored(self.latest).get("message")
        self._attempt.reports.append(Progress(processed, total, None if message is None else str(message)))
        if self._cancel_after is not None and processed >= self._cancel_after:
            self._attempt.cancel_requested = True
