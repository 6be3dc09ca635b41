"""How many runs are in which status, and how they have fared lately."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tawny.runs import Count


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Seconds that half, and 95 of 100, took at most; None when there was nothing to measure."""

    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class Recent:
    """What the newest runs that completed or failed say. A share of capped counts would lie; one of these does not."""

    runs: int
    failure_share: float | None
    run_seconds: Quantiles
    wait_seconds: Quantiles


@dataclass(frozen=True, slots=True)
class Summary:
    """Pending and running now; completed, failed and cancelled of those that were triggered since a given hour."""

    pending: Count
    running: Count
    completed: Count
    failed: Count
    cancelled: Count
    oldest_waiting_seconds: float | None
    """How long the run has waited that is due and waits longest; None when none is due."""
    recent: Recent


def summarise(row: Mapping[str, Any], cap: int) -> Summary:
    """A row of one of the statements in `stats_sql`, whose counts go to one more than `cap`."""
    past_cap = row["active"] > cap
    return Summary(
        pending=Count(min(row["pending"], cap), past_cap),
        running=Count(min(row["running"], cap), past_cap),
        completed=capped(row["completed"], cap),
        failed=capped(row["failed"], cap),
        cancelled=capped(row["cancelled"], cap),
        oldest_waiting_seconds=row["oldest_waiting"],
        recent=Recent(
            runs=row["recent"],
            failure_share=row["recent_failed"] / row["recent"] if row["recent"] else None,
            run_seconds=_quantiles(row["ran"]),
            wait_seconds=_quantiles(row["waited"]),
        ),
    )


def capped(count: int, cap: int) -> Count:
    return Count(min(count, cap), count > cap)


def _quantiles(pair: list[float] | None) -> Quantiles:
    return Quantiles(*pair) if pair else Quantiles(None, None)
