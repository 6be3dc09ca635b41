"""The operator's numbers about messages: all teams together, and none of them named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from tawny.access import Actor
from tawny.db.pool import Connection
from tawny.notifications.delivery import Channel
from tawny.notifications.statements import queries

LOOKED_AT: Final = 10_000
"""Messages of one channel that wait, at most: what waits beyond them is not counted."""

_READ: Final = 1_000


@dataclass(frozen=True, slots=True)
class Brought:
    """How many messages of a channel were delivered or given up, or how often one was not taken and is tried again."""

    channel: Channel
    outcome: Literal["delivered", "given_up", "not_taken"]
    tries: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """Messages of a channel that are not delivered yet, and how old the oldest of them is; 0 when none waits."""

    channel: Channel
    waiting: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a channel's messages wait: what came of the try that ended last, by the status that was answered or in words."""

    channel: Channel
    at: datetime
    error: str | None
    status: int | None


@dataclass(frozen=True, slots=True)
class Posting:
    """What became of messages, and which wait."""

    brought: Sequence[Brought]
    waiting: Sequence[Waiting]


async def measure(conn: Connection) -> Posting:
    """Read what was counted, and what waits, in two statements whose cost is bounded."""
    brought = [Brought(**row) for row in await queries.totals(conn)]
    return Posting(brought, [Waiting(**row) for row in await queries.waiting(conn, most=LOOKED_AT)])


async def last_refusals(conn: Connection, actor: Actor) -> list[Refusal]:
    """Why messages wait, of each channel that has some which were tried. Only the host may ask."""
    actor.require_host()
    rows = await queries.last_refusals(conn, most=_READ)
    return [Refusal(row["channel"], datetime.fromisoformat(row["at"]), row["error"], row["status"]) for row in rows]
