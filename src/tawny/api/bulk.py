"""Retry or cancel many runs at once."""

from __future__ import annotations

from typing import Final

from tawny import builtin
from tawny.access import TRIGGER_RUN
from tawny.api.answers import Answer
from tawny.api.bulk_envelope import BulkBody
from tawny.api.call import Call, plain_route
from tawny.api.envelope import checked


async def bulk(call: Call) -> Answer:
    actor, team_id = await call.actor(), call.id("team_id")
    actor.require(team_id, TRIGGER_RUN)
    body = checked(BulkBody, await call.body())
    async with call.state.pool.acquire() as conn:
        asked = await builtin.ask(conn, actor, team_id, body.action, body.where, dry_run=bool(body.dry_run))
    if asked.run is None:
        return Answer(200, f'{{"matched":{asked.matched}}}'.encode())
    call.state.waker.wake()
    return Answer(202, f'{{"matched":{asked.matched},"job_run":{asked.run.run_json}}}'.encode())


ROUTES: Final = (plain_route("POST", "/v1/teams/{team_id}/jobs/bulk", bulk),)
