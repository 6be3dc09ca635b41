"""The API inside somebody's own web application, under a path of their choice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from api.world import SECRET, World, app
from tawny.api import create_app, opened
from tawny.api.state import state_of
from tawny.config import Settings

ROOT = "/jobs-api"


@dataclass
class Mounted:
    """A shop's application with Tawny's API in it."""

    world: World
    http: httpx.AsyncClient

    async def send(self, method: str, path: str, **more: object) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.world.key}"}
        return await self.http.request(method, f"{ROOT}{path}", headers=headers, **more)


def shop_with(api: FastAPI, *, open_it: bool) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if not open_it:
            yield
            return
        async with opened(api):
            yield

    web = FastAPI(lifespan=lifespan)
    web.get("/orders")(lambda: {"orders": 3})
    web.mount(ROOT, api)
    return web


@asynccontextmanager
async def mounted(world: World, url: str, folder: Path, *, open_it: bool = True) -> AsyncIterator[Mounted]:
    api = create_app(app, settings=Settings(lease=1.0, data_dir=folder), url=url, secret=SECRET)
    web = shop_with(api, open_it=open_it)
    transport = httpx.ASGITransport(web)
    async with web.router.lifespan_context(web), httpx.AsyncClient(transport=transport, base_url="http://shop") as http:
        yield Mounted(world, http)


@pytest.fixture
async def shop(world: World, database_url: str, tmp_path: Path) -> AsyncIterator[Mounted]:
    async with mounted(world, database_url, tmp_path) as shop:
        yield shop


async def test_a_run_is_triggered_and_viewed_under_the_path(shop: Mounted) -> None:
    body = {"job_type": "export", "project_id": str(shop.world.project_id)}
    made = await shop.send("POST", f"/v1/teams/{shop.world.team_id}/jobs/trigger", json=body)
    assert made.status_code == 201, made.text
    viewed = await shop.send("GET", f"/v1/jobs/{made.json()['job_run']['id']}")
    assert viewed.json()["job_run"]["status"] == "pending"
    listed = await shop.send("GET", f"/v1/teams/{shop.world.team_id}/jobs")
    assert [run["id"] for run in listed.json()["job_runs"]] == [made.json()["job_run"]["id"]]
    assert (await shop.send("GET", "/readyz")).status_code == 200


async def test_the_other_application_answers_as_ever(shop: Mounted) -> None:
    assert (await shop.http.get("/orders")).json() == {"orders": 3}
    assert (await shop.http.get("/nothing")).json() == {"detail": "Not Found"}


async def test_errors_keep_their_shape_and_name_the_document_where_it_is(shop: Mounted) -> None:
    unknown = await shop.send("GET", "/v1/nothing")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_route")
    assert f"see {ROOT}/openapi.json" in unknown.json()["error"]
    assert (await shop.http.get(f"{ROOT}/v1/job-types")).json()["code"] == "unauthenticated"
    assert (await shop.send("DELETE", "/v1/job-types")).headers["allow"] == "GET, HEAD"


@pytest.mark.slow
async def test_the_document_says_where_its_paths_begin(shop: Mounted) -> None:
    document = (await shop.http.get(f"{ROOT}/openapi.json")).json()
    assert document["servers"] == [{"url": ROOT}]
    assert "/v1/jobs/{run_id}" in document["paths"]
    assert "/orders" not in document["paths"]
    assert (await shop.http.get("/openapi.json")).json()["paths"].keys() == {"/orders"}
    assert "servers" not in (await shop.world.send("GET", "/openapi.json")).json()


async def test_one_that_nobody_opened_fails_and_says_what_to_write(world: World, database_url: str, tmp_path: Path) -> None:
    async with mounted(world, database_url, tmp_path, open_it=False) as shop:
        assert (await shop.send("GET", "/healthz")).status_code == 200
        assert (await shop.send("GET", "/v1/job-types")).json()["code"] == "internal"
    with pytest.raises(RuntimeError, match=r"async with opened\(api\)"):
        state_of({"app": FastAPI()})
