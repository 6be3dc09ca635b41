"""Retry a run that has ended, as a new run."""

from __future__ import annotations

from typing import Final

from tawny import runs
from tawny.access import TRIGGER_RUN
from tawny.api.answers import Answer
from tawny.api.call import Call, plain_route
from tawny.api.envelope import RetryBody, checked
from tawny.api.idempotency import answer_with, idempotency_key


async def retry(call: Call) -> Answer:
    actor = await call.actor()
    actor.teams_for(TRIGGER_RUN)
    call.state.pace.spend(actor)
    async with call.state.pool.acquire() as conn:
        await runs.require_role_to_retry(conn, actor, call.id("run_id"))
    key = idempotency_key(call.scope["headers"])
    checked(RetryBody, await call.body())
    async with call.state.pool.acquire() as conn:
        made = await runs.retry(conn, actor, call.id("run_id"), call.state.jobs, idempotency_key=key)
    return answer_with(call, made)


ROUTES: Final = (plain_route("POST", "/v1/jobs/{run_id}/retry", retry),)
