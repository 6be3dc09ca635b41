"""The table of who may do what, through MCP: what the API grants a caller, the tools grant, and nothing else."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from tests.agents.conftest import agent
from tests.commands import environment

from api.test_matrix import CALLERS, ROWS, caller_of
from api.world import World

pytestmark = pytest.mark.walk

OPERATIONS = {
    "list-jobs": "GET /v1/teams/{team_id}/jobs",
    "get-job": "GET /v1/jobs/{run_id}",
    "trigger-job": "POST /v1/teams/{team_id}/jobs/trigger",
    "cancel-job": "POST /v1/jobs/{run_id}/cancel",
    "retry-job": "POST /v1/jobs/{run_id}/retry",
    "list-job-types": "GET /v1/job-types",
    "get-job-logs": "GET /v1/jobs/{run_id}/logs",
    "get-job-timeline": "GET /v1/jobs/{run_id}/timeline",
}
"""Which row of the table is about which tool."""


def expected(kind: str) -> dict[str, int]:
    return {tool: int(ROWS[operation][kind]) for tool, operation in OPERATIONS.items()}


LET_IN = [kind for kind in CALLERS if set(expected(kind).values()) != {401}]
CODES = {403: ("insufficient_permission", "insufficient_role", "not_a_member"), 404: ("not_found",)}


async def calls(world: World) -> dict[str, dict[str, Any]]:
    """Each tool, with everything but the caller right."""
    ended = await world.ended(project_id=str(await world.add_project()))
    _, running = await world.running()
    run, team = {"run_id": str(running.id)}, {"team_id": str(world.team_id)}
    return {
        "list-jobs": team,
        "get-job": run,
        "trigger-job": team | {"job_type": "export", "project_id": str(await world.add_project())},
        "get-job-logs": run,
        "get-job-timeline": run,
        "cancel-job": run,
        "retry-job": {"run_id": str(ended)},
        "list-job-types": {},
    }


async def hold_to_the_table(world: World, kind: str, client: Client) -> None:
    wanted = expected(kind)
    for tool, arguments in (await calls(world)).items():
        result = await client.call_tool(tool, arguments)
        said = getattr(result.content[0], "text", "")
        assert result.is_error is (wanted[tool] >= 400), (tool, wanted[tool], said)
        if result.is_error:
            assert any(code in said for code in CODES[wanted[tool]]), (tool, said)
        else:
            json.loads(said)


@pytest.mark.parametrize("kind", LET_IN)
async def test_over_http_each_caller_gets_what_the_table_says(world: World, kind: str) -> None:
    caller = await caller_of(world, kind)
    async with agent(world, caller.credential) as client:
        await hold_to_the_table(world, kind, client)


@pytest.mark.parametrize("kind", [kind for kind in CALLERS if kind not in LET_IN])
async def test_who_is_nobody_is_not_let_in(world: World, kind: str) -> None:
    caller = await caller_of(world, kind)
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list-job-types", "arguments": {}}}
    headers = {"accept": "application/json, text/event-stream"}
    answer = await world.send("POST", "/mcp", as_=caller.credential, json=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


@asynccontextmanager
async def over_stdio(world: World, key: str) -> AsyncIterator[Client]:
    settings = environment(TAWNY_URL=world.served.url, TAWNY_API_KEY=key)
    async with Client(StdioServerParameters(command=sys.executable, args=["-m", "tawny", "mcp"], env=settings)) as client:
        yield client


@pytest.mark.parametrize("kind", LET_IN)
async def test_over_stdio_each_caller_gets_what_the_table_says(world: World, kind: str) -> None:
    caller = await caller_of(world, kind)
    assert caller.credential
    async with over_stdio(world, caller.credential) as client:
        await hold_to_the_table(world, kind, client)
