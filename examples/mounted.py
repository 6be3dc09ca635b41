"""Mounted: Tawny's API inside your own FastAPI application, under a path of your choice.

Run it:  uvicorn --factory examples.mounted:make_web
And:     tawny work --app examples.mounted:app
Try it:  curl -sS http://127.0.0.1:8000/jobs-api/openapi.json

Needs `TAWNY_DATABASE_URL`, a database that `tawny migrate` has prepared, and `TAWNY_SECRET`. Look at the lifespan: a
mounted application's own one is entered by nobody, so `opened(api)` stands in yours, beside whatever else you open.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from tawny import Run, Tawny
from tawny.api import create_app, opened
from tawny.config import Settings

app = Tawny()


@app.job("greet")
async def greet(run: Run, name: str = "you") -> dict[str, str]:
    """Say hello."""
    return {"greeting": f"Hello, {name}!"}


def make_web() -> FastAPI:
    settings = Settings.load(os.environ)
    secret = os.environ["TAWNY_SECRET"].encode()
    api = create_app(app, settings=settings, url=os.environ["TAWNY_DATABASE_URL"], secret=secret)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with opened(api):
            yield

    web = FastAPI(title="Shop", lifespan=lifespan)

    @web.get("/")
    async def home() -> dict[str, str]:
        return {"jobs": "/jobs-api/openapi.json"}

    web.mount("/jobs-api", api)
    return web
