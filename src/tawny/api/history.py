"""What happened to runs."""

from __future__ import annotations

from typing import Final

from tawny import history
from tawny.api.answers import Answer
from tawny.api.call import Call, plain_route
from tawny.api.history_envelope import TimelineAnswer


async def timeline(call: Call) -> Answer:
    actor = await call.actor()
    async with call.state.pool.acquire() as conn:
        found = await history.timeline(conn, actor, call.id("run_id"))
    return Answer(200, TimelineAnswer.model_validate(found, from_attributes=True).model_dump_json().encode())


ROUTES: Final = (plain_route("GET", "/v1/jobs/{run_id}/timeline", timeline),)
