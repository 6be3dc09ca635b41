"""Forget what was delivered."""

from __future__ import annotations

from typing import Final

from tawny.db.pool import Connection
from tawny.notifications.statements import queries

KEPT_DAYS: Final = 30
"""How long a delivery is kept, for people who look for it."""


async def forget_deliveries(conn: Connection, *, at_most: int) -> int:
    """Delete so many of the deliveries that ended and were made more than thirty days ago; returns how many there were.

    Webhooks that were deleted long ago go with the last of their deliveries, and secrets that sign no more go too.
    """
    forgotten: int = await queries.forget_deliveries(conn, days=KEPT_DAYS, at_most=at_most)
    await queries.forget_webhooks(conn, days=KEPT_DAYS, at_most=at_most)
    await queries.forget_old_secrets(conn, at_most=at_most)
    return forgotten
