"""An agent of the official SDK at a real server, over HTTP and over stdio, while the job runs."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from tests.commands import Serving, environment

pytestmark = pytest.mark.walk


async def ask(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    text: str = getattr(result.content[0], "text", "")
    assert not result.is_error, text
    answer: dict[str, Any] = json.loads(text)
    return answer


async def census(client: Client, project_id: str) -> None:
    """What an agent does: look what there is, ask for a run, look until it has ended, read what it left."""
    assert "code_census" in {job_type["name"] for job_type in (await ask(client, "list-job-types"))["job_types"]}
    run = (await ask(client, "trigger-job", job_type="code_census", project_id=project_id))["job_run"]
    async with asyncio.timeout(60):
        while (seen := (await ask(client, "get-job", run_id=run["id"]))["job_run"])["status"] in ("pending", "running"):
            await asyncio.sleep(0.2)
    assert seen["status"] == "completed"
    kinds = [event["kind"] for event in (await ask(client, "get-job-timeline", run_id=run["id"]))["events"]]
    assert kinds[0] == "triggered"
    assert kinds[-1] == "completed"


async def over_http(serving: Serving, project_id: str) -> None:
    headers = {"authorization": f"Bearer {serving.key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30, trust_env=False) as http,
        Client(streamable_http_client(f"{serving.address}/mcp", http_client=http)) as client,
    ):
        await census(client, project_id)


async def over_stdio(serving: Serving, project_id: str) -> None:
    settings = environment(TAWNY_URL=serving.address, TAWNY_API_KEY=serving.key)
    async with Client(StdioServerParameters(command=sys.executable, args=["-m", "tawny", "mcp"], env=settings)) as client:
        assert len((await client.list_tools()).tools) == 8
        await census(client, project_id)


def test_an_agent_runs_the_demo_job_over_http_and_over_stdio(tmp_path: Path) -> None:
    with Serving(tmp_path, "--port", "0", TAWNY_CENSUS_ROOT=str(Path(json.__file__).parent)).wait_until_up() as serving:
        _, project_id = re.findall(r'" \(([0-9a-f-]{36})\)', serving.out)
        asyncio.run(over_http(serving, project_id))
        asyncio.run(over_stdio(serving, project_id))
        assert "Traceback" not in serving.err


@pytest.mark.parametrize("module", ["tawny.cli.house", "tawny.workers.process", "tawny.cli.work", "tawny.mcp"])
def test_the_sdk_is_loaded_by_nobody_before_an_agent_knocks(module: str) -> None:
    code = f"import sys, {module}; sys.exit('mcp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    code = "import sys, tawny.mcp.server; sys.exit('mcp' not in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
