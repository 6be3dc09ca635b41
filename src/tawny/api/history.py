"""What happened to runs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from tawny import history
from tawny.access import LIST_RUNS, VIEW_RUN
from tawny.api.answers import Answer
from tawny.api.call import Call, plain_route
from tawny.api.history_envelope import StatsAnswer, TimelineAnswer
from tawny.api.history_query import parse_lines, parse_stats
from tawny.history import Lines


async def timeline(call: Call) -> Answer:
    actor = await call.actor()
    async with call.state.pool.acquire() as conn:
        found = await history.timeline(conn, actor, call.id("run_id"))
    return Answer(200, TimelineAnswer.model_validate(found, from_attributes=True).model_dump_json().encode())


async def logs(call: Call) -> Answer:
    actor = await call.actor()
    actor.teams_for(VIEW_RUN)
    asked = parse_lines(call.query)
    async with call.state.pool.acquire() as conn:
        lines = await history.logs(conn, actor, call.id("run_id"), **asdict(asked))
    return Answer(200, _lines(lines))


def _lines(lines: Lines) -> bytes:
    more = "true" if lines.has_more else "false"
    return (
        f'{{"logs":[{",".join(lines.lines)}],"next_after":{lines.next_after},"has_more":{more},"dropped":{lines.dropped}}}'
    ).encode()


async def stats(call: Call) -> Answer:
    actor, team_id = await call.actor(), call.id("team_id")
    actor.require(team_id, LIST_RUNS)
    asked = parse_stats(call.query)
    names = [job.name for job in call.state.jobs.values() if job.scope == "project"]
    async with call.state.pool.acquire() as conn:
        found = await history.stats(conn, actor, team_id, job_types=names, project_id=asked.project_id, job_type=asked.job_type)
    return Answer(200, StatsAnswer.model_validate(found, from_attributes=True).model_dump_json().encode())


ROUTES: Final = (
    plain_route("GET", "/v1/jobs/{run_id}/logs", logs),
    plain_route("GET", "/v1/jobs/{run_id}/timeline", timeline),
    plain_route("GET", "/v1/teams/{team_id}/jobs/stats", stats),
)
