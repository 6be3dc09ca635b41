"""Answers to idempotency keys are forgotten in the background. Every server does it; what one has deleted is gone for all."""

from __future__ import annotations

import asyncio

import structlog

from tawny import runs
from tawny.db.pool import UNREACHABLE, Pool

log = structlog.get_logger()


async def forget_forever(pool: Pool, pause: float = 60.0) -> None:
    """Forget answers that are too old to be given again, once in `pause` seconds until cancelled."""
    while True:
        try:
            async with pool.acquire() as conn:
                await runs.forget_answers(conn)
        except UNREACHABLE:
            pass  # the requests themselves report it; old answers wait for the next turn
        except Exception:
            log.exception("old answers could not be forgotten; it is tried again")
        await asyncio.sleep(pause)
