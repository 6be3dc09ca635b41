"""What the fake has seen, which tests and benches read."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tawny.testing.revenuecat.routes import Call, Domain, Route


@dataclass(frozen=True, slots=True)
class Asked:
    """One request and what was answered; a status of 0: nothing was."""

    at: float
    call: Call
    status: int


class Counters:
    """Everything since the fake began, or since `reset`. Refused requests count as well, those of the neighbour do not."""

    def __init__(self, window: float, log: int) -> None:
        self._window = window
        self._log = log
        self._running = 0
        self._running_of: Counter[str] = Counter()
        self._newest: dict[Domain, deque[float]] = {"customer_information": deque(), "project_configuration": deque()}
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self.requests: Counter[Route] = Counter()
        self.statuses: Counter[int] = Counter()
        self.max_in_window: dict[Domain, int] = dict.fromkeys(self._newest, 0)
        """The most requests in any window that slides, of sixty scaled seconds."""
        self.max_in_fixed_window: dict[Domain, int] = dict.fromkeys(self._newest, 0)
        """The most in any window between two full minutes, scaled."""
        self.max_concurrency = 0
        self.max_concurrency_per_customer = 0
        self.log: deque[Asked] = deque(maxlen=self._log)
        """The newest requests, in the order in which they ended."""
        self._fixed: dict[Domain, tuple[int, int]] = dict.fromkeys(self._newest, (0, 0))
        for newest in self._newest.values():
            newest.clear()

    @property
    def total(self) -> int:
        """Requests to any of the routes."""
        return self.requests.total()

    @property
    def rate_limited(self) -> int:
        """How many were answered 429."""
        return self.statuses[429]

    @contextmanager
    def counting(self, call: Call, now: float) -> Iterator[list[int]]:
        """Count a request while it is under way; the block puts its status into the list."""
        status: list[int] = []
        self._begin(call, now)
        try:
            yield status
        finally:
            self._running -= 1
            self._running_of[call.customer_id] -= 1
            if not self._running_of[call.customer_id]:
                del self._running_of[call.customer_id]
            self.statuses[status[0] if status else 0] += 1
            self.log.append(Asked(now, call, status[0] if status else 0))

    def _begin(self, call: Call, now: float) -> None:
        self.requests[call.route] += 1
        self._running += 1
        self._running_of[call.customer_id] += 1
        self.max_concurrency = max(self.max_concurrency, self._running)
        if call.customer_id:
            self.max_concurrency_per_customer = max(self.max_concurrency_per_customer, self._running_of[call.customer_id])
        self._count(call.domain, now)

    def _count(self, domain: Domain, now: float) -> None:
        newest = self._newest[domain]
        newest.append(now)
        while newest[0] <= now - self._window:
            newest.popleft()
        self.max_in_window[domain] = max(self.max_in_window[domain], len(newest))
        window, count = self._fixed[domain]
        count = count + 1 if window == int(now / self._window) else 1
        self._fixed[domain] = (int(now / self._window), count)
        self.max_in_fixed_window[domain] = max(self.max_in_fixed_window[domain], count)
