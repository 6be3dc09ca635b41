"""The dashboard inside somebody's own web application, under a path of their choice."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from tests.dashboard.site import said

from api.test_mounted import ROOT, shop_with
from api.world import SECRET, World, app
from tawny import dashboard
from tawny.api import create_app
from tawny.config import Settings


def addresses(html: str) -> set[str]:
    return set(re.findall(r'(?:href|src|action|hx-get|hx-post|data-live|data-ask|data-tail)="([^"#][^"]*)"', html))


@pytest.fixture
def shop(database_url: str, tmp_path: Path) -> FastAPI:
    api = dashboard.mount(create_app(app, settings=Settings(lease=1.0, data_dir=tmp_path), url=database_url, secret=SECRET))
    return shop_with(api, open_it=True)


async def test_every_address_on_a_page_is_below_the_path(world: World, shop: FastAPI) -> None:
    slug = await world.conn.fetchval("select slug from teams where id = $1", world.team_id)
    run_id = await world.made()
    async with (
        shop.router.lifespan_context(shop),
        httpx.AsyncClient(transport=httpx.ASGITransport(shop), base_url="http://shop") as http,
    ):
        assert (await http.get(f"{ROOT}/teams/{slug}/runs")).headers["location"].startswith(f"{ROOT}/sign-in?next=%2Fteams%2F")
        http.cookies.set("tawny_session", await world.token(world.owner_id))
        for path in ("runs", f"runs/{run_id}", "run-a-job", "run-a-job?job_type=export", f"runs/{run_id}/cancel"):
            page = await http.get(f"{ROOT}/teams/{slug}/{path}")
            assert page.status_code == 200, said(page)
            assert {address for address in addresses(page.text) if not address.startswith(f"{ROOT}/")} == set()
        sheet = next(address for address in addresses(page.text) if address.endswith(".css"))
        assert (await http.get(sheet)).status_code == 200
        assert 'aria-current="page">Runs' in (await http.get(f"{ROOT}/teams/{slug}/runs")).text
