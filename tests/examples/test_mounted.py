"""The API inside another application, whose worker is a process like any other."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from examples.mounted import app, make_web
from tests.examples.conftest import FloorOf

from tawny.access import Actor, create_key, create_project


async def test_a_run_is_triggered_and_watched_under_the_path(
    floor_of: FloorOf, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # no tawny.toml
    monkeypatch.setenv("TAWNY_DATABASE_URL", database_url)
    monkeypatch.setenv("TAWNY_SECRET", "the secret of a test, 32 bytes or more")
    floor = await floor_of(app)
    project = await create_project(floor.conn, Actor.host(), floor.team_id, name="P", slug="p")
    _, key = await create_key(floor.conn, Actor.host(), floor.team_id, name="k", permissions=("jobs:read", "jobs:write"))
    web = make_web()
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(web), base_url="http://shop", headers={"authorization": f"Bearer {key}"}
    )
    async with web.router.lifespan_context(web), client, floor.working():
        body = {"job_type": "greet", "project_id": str(project.id), "params": {"name": "Ada"}}
        made = await client.post(f"/jobs-api/v1/teams/{floor.team_id}/jobs/trigger", json=body)
        assert made.status_code == 201, made.text
        run_id = made.json()["job_run"]["id"]
        await floor.ended(run_id)
        run = (await client.get(f"/jobs-api/v1/jobs/{run_id}")).json()["job_run"]
        document = (await client.get((await client.get("/")).json()["jobs"])).json()
        unknown = await client.get("/jobs-api/nothing")
    assert (run["status"], run["result"]) == ("completed", {"greeting": "Hello, Ada!"})
    assert document["servers"] == [{"url": "/jobs-api"}]
    assert unknown.json()["code"] == "unknown_route"
