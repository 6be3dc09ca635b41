"""What can be told of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, get_args

from tawny.errors import InvalidRequest

RunEvent = Literal["completed", "failed", "cancelled"]
"""How a run ended."""

RUN_EVENTS: Final[tuple[RunEvent, ...]] = get_args(RunEvent)

WEBHOOK_DISABLED: Final = "webhook_disabled"
"""Told to the admins of a team."""


def in_order(names: Iterable[str]) -> list[RunEvent]:
    """These ends of runs, each once; InvalidRequest for what is none."""
    wanted = set(names)
    if unknown := wanted.difference(RUN_EVENTS):
        raise InvalidRequest(f"{min(unknown)[:40]!r} is not an event. There is: {', '.join(RUN_EVENTS)}.", code="unknown_event")
    return [event for event in RUN_EVENTS if event in wanted]
