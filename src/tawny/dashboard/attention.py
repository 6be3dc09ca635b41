"""What of a team's runs somebody should look at: decided from its stats alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from tawny.dashboard.words import short
from tawny.history import OfType, Stats
from tawny.notifications import TeamWebhook

FAILING: Final = 0.2
"""From which share on failures of a job type are no longer usual."""
ENOUGH: Final = 5
"""How few ends say nothing about a share."""
WAITS_LONG: Final = 60
"""Seconds for which a run may be due before somebody is told."""

Kind = Literal["no_worker", "failing", "not_taken", "backlog", "webhook"]


@dataclass(frozen=True, slots=True)
class Need:
    """Something that needs attention: of one job type, unless it concerns all of them."""

    kind: Kind
    job_type: str | None
    title: str
    sentence: str


def needs_attention(stats: Stats) -> list[Need]:
    """What does, the most urgent first; nothing when all is well."""
    found = [*_workers(stats)]
    for of_type in stats.job_types:
        found += [*_failing(of_type), *(_waiting(of_type) if stats.workers else ())]
    return sorted(found, key=lambda need: _URGENCY.index(need.kind))


def of_webhook(webhook: TeamWebhook) -> Need:
    """That Tawny has disabled this webhook."""
    return Need("webhook", None, f"The webhook “{webhook.name}” is disabled", webhook.disabled_because or "")


_URGENCY: Final[tuple[Kind, ...]] = ("no_worker", "not_taken", "failing", "backlog", "webhook")


def _workers(stats: Stats) -> Iterator[Need]:
    if not stats.workers:
        yield Need(
            "no_worker",
            None,
            "No worker is alive",
            "Nothing is executed until one is started: runs wait for it, and none is lost.",
        )


def _failing(of_type: OfType) -> Iterator[Need]:
    recent = of_type.runs.recent
    if recent.runs >= ENOUGH and recent.failure_share is not None and recent.failure_share >= FAILING:
        failed = round(recent.failure_share * recent.runs)
        sentence = f"{failed} of the newest {recent.runs} runs that were carried out failed."
        yield Need("failing", of_type.job_type, f"{of_type.job_type} fails", sentence)


def _waiting(of_type: OfType) -> Iterator[Need]:
    runs = of_type.runs
    waiting = runs.oldest_waiting_seconds or 0
    if waiting < WAITS_LONG:
        return
    since = f"The oldest has been due for {short(waiting)}"
    if runs.running.count:
        sentence = f"{since}, while others run: there is more work than places."
        yield Need("backlog", of_type.job_type, f"{of_type.job_type} piles up", sentence)
    else:
        sentence = f"{since}, and none is running: no worker that is alive takes this job type, or all of them are busy."
        yield Need("not_taken", of_type.job_type, f"Nobody takes {of_type.job_type}", sentence)
