"""Decide what becomes of the due times of a schedule that have come. Pure: the clock is an argument."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Final, Literal
from uuid import UUID

from tawny.jobs import CatchUp, Cron

Decision = Literal["started", "skipped_active", "skipped_disabled", "missed"]

WINDOW: Final = timedelta(hours=24)
"""How far back due times are made up for. All that lie before are one row."""
ON_TIME: Final = timedelta(minutes=1)
"""A due time that was found within this has not been missed, whatever else has been."""

LATE: Final = "nothing ran at that time"
PAUSED: Final = "the schedule is paused"
ACTIVE: Final = "a run is active"
CHANGED: Final = "nothing ran at that time, and then the schedule was changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One due time and what became of it; or several, up to `until`, `times` in all."""

    due_at: datetime
    decision: Decision
    reason: str | None = None
    run_id: UUID | None = None
    until: datetime | None = None
    times: int = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do about a schedule: ticks that are decided, the due time to ask for a run of, and the next one.

    `patient`: where a run is in the way of the one that is `wanted`, it waits for its turn and is not skipped.
    """

    ticks: list[Tick]
    wanted: datetime | None
    next_at: datetime | None
    patient: bool = False


def plan(cron: Cron, catch_up: CatchUp, *, enabled: bool, due_at: datetime, now: datetime) -> Plan:
    """Plan for a schedule whose first undecided due time, `due_at`, has come. Each due time gets one decision.

    All that came are written down when it is paused. Otherwise `last` asks for the latest and misses the others; `none` does so
    only when the latest is on time; `all` asks for one after the other, the first first. What lies a day back is missed.
    """
    ticks, first = _long_past(cron, due_at, now - WINDOW)
    if first is None or first > now:
        return Plan(ticks, None, first)
    if enabled and catch_up == "all":
        return Plan(ticks, first, cron.next(first), patient=now - first > ON_TIME)
    due, next_at = _come(cron, first, now)
    if not enabled:
        return Plan(ticks + [Tick(due_at=at, decision="skipped_disabled", reason=PAUSED) for at in due], None, next_at)
    wanted = None if catch_up == "none" and now - due[-1] > ON_TIME else due[-1]
    missed = due if wanted is None else due[:-1]
    return Plan(ticks + [Tick(due_at=at, decision="missed", reason=LATE) for at in missed], wanted, next_at)


def _long_past(cron: Cron, due_at: datetime, before: datetime) -> tuple[list[Tick], datetime | None]:
    """One row for what lies before this, if anything does, and the first due time that does not."""
    if due_at >= before:
        return [], due_at
    times, last = cron.count(due_at, before)
    return [Tick(due_at=due_at, decision="missed", reason=LATE, until=last, times=times)], cron.next(last)


def _come(cron: Cron, first: datetime, now: datetime) -> tuple[list[datetime], datetime | None]:
    """The due times from this one that have come, and the one after them."""
    due: list[datetime] = []
    for at in _from(cron, first):
        if at > now:
            return due, at
        due.append(at)
    return due, None


def _from(cron: Cron, first: datetime) -> Iterator[datetime]:
    return chain([first], cron.after(first))
