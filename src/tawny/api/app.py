"""The web door: one app with everything that an HTTP client can reach."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import lru_cache
from typing import Any, Final, NoReturn

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from tawny import __version__, schedules
from tawny.access import Authenticator
from tawny.access.secret import require_strong
from tawny.api import bulk, events, health, history, job_types, jobs, metrics, openapi, retry
from tawny.api.answers import Answer, JsonResponse
from tawny.api.call import Call, plain_route
from tawny.api.forget import forget_forever
from tawny.api.guard import Guard
from tawny.api.operation import routes_of
from tawny.api.operations import OPERATIONS
from tawny.api.pace import Pace
from tawny.api.scrape import Scrape
from tawny.api.state import State, root_of
from tawny.builtin import jobs_beside, offered
from tawny.config import Settings
from tawny.db.pool import UNREACHABLE, Pool, open_pool
from tawny.integrations import load_or_make_keyring
from tawny.integrations.revenuecat import RevenueCat
from tawny.jobs import App
from tawny.live import Feed
from tawny.mail import Mailer
from tawny.runs import Waker
from tawny.workers.reap import reap_forever

POOL_SIZE: Final = 10
PATIENCE: Final = 2.0
"""Seconds that a request waits for a connection, and as many for a new one to open, before it is told to come back."""


def create_app(app: App, *, settings: Settings, url: str, secret: bytes) -> FastAPI:
    """Make the API of `app`'s job types on the database at `url`.

    `secret` signs user tokens; SettingsError when it has less than 32 bytes. Everything is opened when the app's lifespan begins,
    which needs a migrated database that answers, and closed when it ends. It may be mounted in another app: see `opened`.
    """
    require_strong(secret)

    @asynccontextmanager
    async def lifespan(api: FastAPI) -> AsyncIterator[None]:
        async with _opened(app, settings, url, secret) as state:
            api.state.tawny = state
            yield

    api = FastAPI(
        title=openapi.TITLE,
        version=__version__,
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        default_response_class=JsonResponse,
        # It would look for a collector at every request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        exception_handlers={HTTPException: _leave_to_guard, RequestValidationError: _leave_to_guard},
    )
    api.add_middleware(Guard)
    api.router.routes.extend([*jobs.ROUTES, *retry.ROUTES, *bulk.ROUTES, *history.ROUTES, *events.ROUTES, *routes_of(OPERATIONS)])
    api.include_router(job_types.router)
    api.include_router(health.router)
    api.include_router(metrics.router)
    api.router.routes.append(plain_route("GET", "/openapi.json", _document))
    return api


@asynccontextmanager
async def opened(api: FastAPI) -> AsyncIterator[None]:
    """Keep an app of `create_app` open while the block lasts. For an app that is mounted, whose own lifespan nobody enters:

    `api = create_app(…)`, `async with opened(api): yield` in the lifespan of yours, and `web.mount("/jobs-api", api)`.
    """
    async with api.router.lifespan_context(api):
        yield


async def _leave_to_guard(_request: Request, error: Exception) -> NoReturn:
    """Every error is answered in one place."""
    raise error


async def _document(call: Call) -> Answer:
    return Answer(200, _document_of(call.scope["app"], root_of(call.scope)))


@lru_cache(maxsize=1)
def _document_of(api: FastAPI, root: str) -> bytes:
    return json.dumps(openapi.describe(api, root)).encode()


@asynccontextmanager
async def _opened(app: App, settings: Settings, url: str, secret: bytes) -> AsyncIterator[State]:
    async with AsyncExitStack() as opened:
        pool = await open_pool(url, size=POOL_SIZE, application="tawny-api", patience=PATIENCE)
        opened.push_async_callback(pool.close)
        # A pool of its own: reaping must not wait behind requests.
        reaper = await open_pool(url, size=1, application="tawny-reaper")
        opened.push_async_callback(reaper.close)
        async with pool.transaction() as conn:
            await schedules.declare(conn, {**app.jobs, **jobs_beside(app.jobs, settings)})
            await schedules.refresh(conn)
        authenticator = Authenticator(pool, secret)
        waker = Waker(pool, enabled=settings.notify)
        opened.push_async_callback(_write_last_used, authenticator, pool)
        mailer = Mailer.of(settings)
        revenuecat = RevenueCat.of(settings)
        feed = Feed(pool)
        tasks = [
            authenticator.run(),
            reap_forever(reaper, lease=settings.lease, wake=waker.wake),
            forget_forever(pool),
            mailer.run(),
            feed.run(),
        ]
        opened.push_async_callback(_cancel, [asyncio.create_task(task) for task in tasks])
        yield State(
            pool=pool,
            authenticator=authenticator,
            waker=waker,
            jobs=offered(app.jobs, revenuecat),
            settings=settings,
            scrape=Scrape(),
            secret=secret,
            keyring=load_or_make_keyring(settings.data_dir, settings.encryption_keys),
            mailer=mailer,
            pace=Pace(settings.trigger_rate),
            feed=feed,
            revenuecat=revenuecat,
        )


async def _write_last_used(authenticator: Authenticator, pool: Pool) -> None:
    with suppress(*UNREACHABLE):
        async with pool.acquire() as conn:
            await authenticator.flush_last_used(conn)


async def _cancel(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
