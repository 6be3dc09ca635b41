"""Everything that `tawny serve` runs: started in order, stopped in reverse."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from functools import partial

import structlog
import uvloop
from fastapi import FastAPI

from tawny import dashboard, mcp
from tawny.access.secret import load_or_make_secret
from tawny.api.app import create_app, opened
from tawny.cli import database, first_start, listen
from tawny.cli.child import child_environ
from tawny.cli.credentials import missing_keys
from tawny.cli.database import Database
from tawny.cli.migrate import apply
from tawny.cli.signals import on_stop_signals, stop_signals
from tawny.cli.supervise import WorkerProcess
from tawny.cli.web import Server
from tawny.config import Settings
from tawny.integrations import load_keyring
from tawny.jobs import App
from tawny.jobs.load import load_app

_MARGIN = 5.0  # seconds that a worker has for stopping besides those for its runs

log = structlog.get_logger()


def run(settings: Settings, *, with_worker: bool) -> None:
    """Run the server until a signal stops it. What can fail cheaply is tried first; nothing is left behind, whatever fails."""
    for number in stop_signals():
        signal.signal(number, _interrupt)
    jobs = load_app(settings.app)
    with listen.bound(settings.host, settings.port) as sockets, database.owned(settings) as db:
        asyncio.run(apply(db.url))
        secret = load_or_make_secret(settings.data_dir, settings.secret)
        found = settings.model_copy(update={"port": sockets[0].getsockname()[1]})  # so that links name a port that 0 has picked
        web = dashboard.mount(mcp.mount(create_app(jobs, settings=found, url=db.url, secret=secret)))
        server = Server(web, sockets, on_listening=partial(_greet, settings, jobs, db.url))
        try:
            uvloop.run(_serve(web, server, db, found, with_worker=with_worker))
        finally:
            _ignore_signals()


async def _serve(web: FastAPI, server: Server, db: Database, settings: Settings, *, with_worker: bool) -> None:
    worker = WorkerProcess(child_environ(settings, database_url=db.url, port=settings.port)) if with_worker else None
    tending = asyncio.create_task(_tend(db))
    on_stop_signals(server.ask_to_stop, *([worker.ask_to_stop] if worker else []))
    try:
        async with AsyncExitStack() as stack:
            with database.explained():
                await stack.enter_async_context(opened(web))
            await server.serve()
    finally:
        if worker is not None:
            await worker.stop(settings.drain + _MARGIN)
        tending.cancel()


async def _tend(db: Database) -> None:
    while True:
        await asyncio.sleep(1)
        try:
            if db.tend():
                log.warning("PostgreSQL had ended by itself and was started again")
        except OSError as error:
            log.error("PostgreSQL cannot be tended", error=str(error))


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _ignore_signals() -> None:
    """Everything has been told to stop, and the database is about to: one more Ctrl-C must not leave half of it behind."""
    for number in stop_signals():
        signal.signal(number, signal.SIG_IGN)


async def _greet(settings: Settings, jobs: App, url: str, address: str) -> None:
    """Say where the server is and what to do next, now that it listens: a key made earlier could be lost unseen."""
    first = await first_start.welcome(url)
    for sentence in await missing_keys(url, load_keyring(settings.data_dir, settings.encryption_keys)):
        log.warning(sentence)
    lines = [f"Tawny listens on {address}"]
    if not settings.loopback:
        signup = "on" if settings.may_sign_up else "off"
        lines.append(f"Other machines can reach it: put TLS in front of it (a reverse proxy). Sign-up is {signup}.")
    if first is None:
        lines.append("`tawny admin create-key --team ID --permission jobs:write` makes a key.")
    else:
        lines += ["", *first_start.introduce(first, address, jobs.jobs), ""]
    print("\n".join([*lines, "Ctrl-C stops the server."]), flush=True)
