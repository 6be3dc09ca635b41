"""Places in the stream of a team's events, in an order in which nothing is ever added before a place that was read."""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from uuid import UUID

_SHAPE: Final = re.compile(r"(\d{1,19})-([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})-(\d{1,9})", re.ASCII)


class Place(NamedTuple):
    """Behind this event. Places compare as the statement orders events: by transaction, then run, then number."""

    xid: int
    run_id: UUID
    seq: int

    def __str__(self) -> str:
        return f"{self.xid}-{self.run_id}-{self.seq}"


START: Final = Place(0, UUID(int=0), 0)


def before(xid: int) -> Place:
    """Behind everything of the transactions before this one."""
    return Place(xid, UUID(int=0), 0)


def parse_place(text: str) -> Place | None:
    """The place that a `Last-Event-ID` names; None for what is none."""
    found = _SHAPE.fullmatch(text)
    return Place(int(found[1]), UUID(found[2]), int(found[3])) if found else None
