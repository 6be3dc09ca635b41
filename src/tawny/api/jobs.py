"""The four job endpoints.

The order of checks is the contract's: who asks, their permission, their team and role, then body and query, then what is there.
The rooms check permissions again; here it is only the order that needs them first.
"""

from __future__ import annotations

import json
from typing import Any, Final
from uuid import UUID

from tawny import runs
from tawny.access import CANCEL_RUN, LIST_RUNS, TRIGGER_RUN, Actor
from tawny.api.answers import Answer
from tawny.api.call import Call, plain_route
from tawny.api.envelope import CancelBody, TriggerBody, checked
from tawny.api.idempotency import answer_with, idempotency_key
from tawny.api.query import Asked, parse_query
from tawny.db.pool import Connection
from tawny.runs import Page

_GRANTED: Final = Answer(200, b'{"granted":true}')
_CANCELLED: Final = Answer(200, b'{"cancelled":true}')


async def view(call: Call) -> Answer:
    actor = await call.actor()
    async with call.state.pool.acquire() as conn:
        run_json = await runs.find(conn, actor, call.id("run_id"))
    return Answer(200, f'{{"job_run":{run_json}}}'.encode())


async def list_runs(call: Call) -> Answer:
    actor, team_id = await call.actor(), call.id("team_id")
    actor.require(team_id, LIST_RUNS)
    asked = parse_query(call.query)
    async with call.state.pool.acquire() as conn:
        page = await listed(conn, actor, team_id, asked)
    return Answer(200, page_of(page))


async def listed(conn: Connection, actor: Actor, team_id: UUID, asked: Asked) -> Page:
    """The page of runs that was asked for, searched or not."""
    if asked.search:
        return await runs.search_runs(conn, actor, team_id, asked.search, where=asked.where, limit=asked.limit)
    return await runs.list_runs(conn, actor, team_id, where=asked.where, limit=asked.limit)


async def trigger(call: Call) -> Answer:
    actor, team_id = await call.actor(), call.id("team_id")
    actor.require(team_id, TRIGGER_RUN)
    call.state.pace.spend(actor)
    key = idempotency_key(call.scope["headers"])
    body = checked(TriggerBody, await call.body())
    job = runs.choose_job(call.state.jobs, body.job_type)
    asked: dict[str, Any] = {"team_id": team_id, "project_id": body.project_id, "params": body.params}
    async with call.state.pool.acquire() as conn:
        if body.dry_run:
            await runs.check_trigger(conn, actor, job, **asked)
            return _GRANTED
        made = await runs.trigger(conn, actor, job, **asked, notify=bool(body.notify), idempotency_key=key)
    return answer_with(call, made)


async def cancel(call: Call) -> Answer:
    actor = await call.actor()
    actor.teams_for(CANCEL_RUN)
    body = checked(CancelBody, await call.body())
    async with call.state.pool.acquire() as conn:
        worker_id = await runs.cancel(conn, actor, call.id("run_id"), include_pending=bool(body.include_pending))
    if worker_id is not None:
        call.state.waker.wake(str(worker_id))
    return _CANCELLED


def page_of(page: Page) -> bytes:
    """Some runs, and the cursor of the page after them."""
    more = "false" if page.cursor is None else "true"
    return f'{{"job_runs":[{",".join(page.runs)}],"cursor":{json.dumps(page.cursor)},"has_more":{more}}}'.encode()


# What is asked for most often comes first: routes are tried in order.
ROUTES: Final = (
    plain_route("GET", "/v1/jobs/{run_id}", view),
    plain_route("GET", "/v1/teams/{team_id}/jobs", list_runs),
    plain_route("POST", "/v1/teams/{team_id}/jobs/trigger", trigger),
    plain_route("POST", "/v1/jobs/{run_id}/cancel", cancel),
)
