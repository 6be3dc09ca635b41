"""Forget what was delivered."""

from __future__ import annotations

from typing import Final

from tawny.db.pool import Connection
from tawny.notifications.statements import queries

KEPT_DAYS: Final = 30
"""How long a delivery is kept, for people who look for it."""

_BATCH: Final = 1_000


async def forget_deliveries(conn: Connection) -> int:
    """Delete deliveries that ended and were made more than thirty days ago, in batches; returns how many."""
    forgotten = 0
    while batch := await queries.forget_deliveries(conn, days=KEPT_DAYS, at_most=_BATCH):
        forgotten += batch
    return forgotten
