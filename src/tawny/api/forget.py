"""What is too old is forgotten in the background. Every server does it; what one has deleted is gone for all."""

from __future__ import annotations

import asyncio

import structlog

from tawny import access, integrations, runs
from tawny.db.pool import UNREACHABLE, Pool

log = structlog.get_logger()


async def forget_forever(pool: Pool, pause: float = 60.0) -> None:
    """Forget answers, codes, sessions, limits and events of services that are over, once in `pause` seconds until cancelled."""
    while True:
        try:
            async with pool.acquire() as conn:
                await runs.forget_answers(conn)
                await access.forget_sign_ins(conn)
                await integrations.forget_events(conn)
        except UNREACHABLE:
            pass  # the requests themselves report it; what is old waits for the next turn
        except Exception:
            log.exception("what is old could not be forgotten; it is tried again")
        await asyncio.sleep(pause)
