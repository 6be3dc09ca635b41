"""A thousand who listen to one server: what they hear, what they cost, and what a restart and a slow one of them do."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from time import monotonic

import httpx
import pytest
from tests.commands import Serving
from tests.walks.listeners import Crowd

pytestmark = pytest.mark.walk

KIB = 1024


def resident(pid: int) -> int:
    """Bytes of memory that a process has to itself."""
    return int(re.search(r"^RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)[1]) * KIB  # type: ignore[index]


async def happen(address: str, key: str, team_id: str, project_ids: list[str]) -> list[tuple[str, int]]:
    """Trigger a run in each project, and return the events of it."""
    async with httpx.AsyncClient(base_url=address, headers={"authorization": f"Bearer {key}"}, timeout=30) as http:
        made = []
        for project_id in project_ids:
            body = {"job_type": "code_census", "project_id": project_id}
            answer = await http.post(f"/v1/teams/{team_id}/jobs/trigger", json=body)
            assert answer.status_code == 201, answer.text
            made.append((answer.json()["job_run"]["id"], 1))
        return made


async def projects(address: str, key: str, team_id: str, many: int) -> list[str]:
    async with httpx.AsyncClient(base_url=address, headers={"authorization": f"Bearer {key}"}, timeout=30) as http:
        found = []
        for number in range(many):
            body = {"team_id": team_id, "name": f"P{number}", "slug": f"p{number}"}
            found.append((await http.post("/v1/projects", json=body)).json()["id"])
        return found


async def all_heard(crowd: Crowd, events: list[tuple[str, int]]) -> None:
    deadline = monotonic() + 60
    while not all(listener.heard == events for listener in crowd.listeners):
        assert monotonic() < deadline, [len(listener.heard) for listener in crowd.listeners][:20]
        await asyncio.sleep(0.05)


def test_a_thousand_listeners_hear_everything_once_also_over_a_restart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(_listen(tmp_path, capsys))


async def _listen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Serving(tmp_path, "--port", "0", "--no-worker").wait_until_up(worker=False) as serving:
        team_id = re.findall(r'" \(([0-9a-f-]{36})\)', serving.out)[0]
        key, port = serving.key, serving.address.rpartition(":")[2]
        asked = await projects(serving.address, key, team_id, 40)
        async with Crowd(serving.address, team_id, key) as crowd:
            cost = {}
            before = resident(serving.process.pid)
            for size in (10, 100, 1_000):
                await crowd.grow(size)
                cost[size] = (resident(serving.process.pid) - before) / size / KIB
            slow = crowd.listeners[0]
            slow.reading.clear()
            events = await happen(serving.address, key, team_id, asked[:20])
            slow.reading.set()
            await all_heard(crowd, events)
            serving.press_ctrl_c()
            await asyncio.to_thread(serving.ended)
            with Serving(tmp_path, "--port", port, "--no-worker").wait_until_up(worker=False) as again:
                events += await happen(again.address, key, team_id, asked[20:])
                await all_heard(crowd, events)
            assert all(listener.connections >= 2 for listener in crowd.listeners)
    with capsys.disabled():
        print("".join(f"\n{size} streams: {kib:.1f} KiB each" for size, kib in cost.items()))
