"""What `/metrics` shows, in the format that Prometheus reads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Literal

from tawny import __version__
from tawny.db.pool import Pool
from tawny.history import Measures
from tawny.notifications import Posting

if TYPE_CHECKING:
    from prometheus_client.core import Metric as Family

FRESH_SECONDS: Final = 1.0
"""For how long one reading serves whoever asks."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A number with a name. Labels never name a team, a project, a run or a worker."""

    kind: Literal["counter", "gauge", "histogram"]
    text: str
    labels: tuple[str, ...] = ()


METRICS: Final[Mapping[str, Metric]] = {
    "tawny_runs_total": Metric("counter", "Runs that ended.", ("job_type", "outcome")),
    "tawny_run_duration_seconds": Metric(
        "histogram", "How long the last attempt took of runs that ended; 0 without one.", ("job_type", "outcome")
    ),
    "tawny_runs_waiting": Metric("gauge", "Runs that are due and wait for a worker, at most 10,000 of a type.", ("job_type",)),
    "tawny_runs_running": Metric("gauge", "Runs that a worker executes, at most 10,000 of a type.", ("job_type",)),
    "tawny_oldest_waiting_seconds": Metric("gauge", "For how long the run has been due that waits longest; 0 when none waits."),
    "tawny_workers": Metric("gauge", "Workers that hold a lease."),
    "tawny_worker_pulse_seconds": Metric(
        "gauge", "How long the last renewal of a worker took: the slowest and the average.", ("of",)
    ),
    "tawny_deliveries_total": Metric(
        "counter", "Messages that were delivered or given up; one that is sent once more counts again.", ("channel", "outcome")
    ),
    "tawny_delivery_tries_not_taken_total": Metric(
        "counter", "Tries of messages that were not taken and are tried again.", ("channel",)
    ),
    "tawny_deliveries_waiting": Metric(
        "gauge", "Messages that are not delivered yet, at most 10,000 of a channel.", ("channel",)
    ),
    "tawny_oldest_delivery_seconds": Metric(
        "gauge", "How old the oldest message is that is not delivered yet; 0 when none waits.", ("channel",)
    ),
    "tawny_api_connections": Metric("gauge", "Connections to the database that this process has, by use.", ("state",)),
    "tawny_build_info": Metric("gauge", "Always 1; the label says which version this process is.", ("version",)),
}


def exposed(found: Measures, posting: Posting, pool: Pool) -> bytes:
    """These measures, and those of this process, as text."""
    from prometheus_client import generate_latest  # imported when first used: it takes 40 ms

    return generate_latest(_Collected([*_families(found), *_of_messages(posting), *_of_process(pool)]))


class _Collected:
    """What the library takes to write out: something that has been collected from."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Family]:
        return self._families


def _families(found: Measures) -> Iterable[Family]:
    yield _family("tawny_runs_total", {(t.job_type, t.outcome): t.runs for t in found.totals})
    yield _durations(found)
    yield _family("tawny_runs_waiting", {(q.job_type,): q.waiting for q in found.queues})
    yield _family("tawny_runs_running", {(q.job_type,): q.running for q in found.queues})
    yield _family("tawny_oldest_waiting_seconds", {(): max((q.oldest_seconds for q in found.queues), default=0.0)})
    yield _family("tawny_workers", {(): found.workers})
    yield _family("tawny_worker_pulse_seconds", {("slowest",): found.slowest_pulse, ("average",): found.average_pulse})


def _of_messages(posting: Posting) -> Iterable[Family]:
    ends = [one for one in posting.brought if one.outcome != "not_taken"]
    tries = [one for one in posting.brought if one.outcome == "not_taken"]
    yield _family("tawny_deliveries_total", {(one.channel, one.outcome): one.tries for one in ends})
    yield _family("tawny_delivery_tries_not_taken_total", {(one.channel,): one.tries for one in tries})
    yield _family("tawny_deliveries_waiting", {(one.channel,): one.waiting for one in posting.waiting})
    yield _family("tawny_oldest_delivery_seconds", {(one.channel,): one.oldest_seconds for one in posting.waiting})


def _of_process(pool: Pool) -> Iterable[Family]:
    yield _family("tawny_api_connections", {("used",): pool.used, ("idle",): pool.idle})
    yield _family("tawny_build_info", {(__version__,): 1})


def _family(name: str, values: Mapping[tuple[str, ...], float]) -> Family:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    metric = METRICS[name]
    of_kind: Any = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family: Family = of_kind(name, metric.text, labels=metric.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)  # type: ignore[attr-defined]
    return family


def _durations(found: Measures) -> Family:
    from prometheus_client.core import HistogramMetricFamily

    metric = METRICS["tawny_run_duration_seconds"]
    family = HistogramMetricFamily("tawny_run_duration_seconds", metric.text, labels=metric.labels)
    names = [f"{bound:g}" for bound in found.bounds]
    for total in found.totals:
        buckets = [*zip(names, total.buckets, strict=True), ("+Inf", total.runs)]
        family.add_metric((total.job_type, total.outcome), buckets, sum_value=total.seconds)
    return family


class Scrape:
    """Keeps the last reading for a second, so that whoever scrapes, and however often, cannot load the database."""

    def __init__(self) -> None:
        self._reading = asyncio.Lock()
        self._text = b""
        self._until = 0.0

    async def text(self, read: Callable[[], Awaitable[bytes]]) -> bytes:
        """The last reading while it is fresh, otherwise what `read` returns. Those who ask meanwhile wait for the same one."""
        async with self._reading:
            if monotonic() >= self._until:
                self._text = await read()
                self._until = monotonic() + FRESH_SECONDS
            return self._text
