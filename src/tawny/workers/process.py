"""A worker as a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

import structlog
import uvloop

from tawny.access.keyring import load_keyring
from tawny.config import Settings
from tawny.db.pool import Pool
from tawny.jobs import App, Job
from tawny.mail import channel_of
from tawny.notifications import ByMail, ByWebhook, Courier, Desk, count_against_webhook
from tawny.workers.courier import CourierThread
from tawny.workers.worker import Worker

log = structlog.get_logger()


def run_worker(
    app: App,
    *,
    url: str,
    settings: Settings,
    types: Sequence[str] | None = None,
    builtin: Mapping[str, Job] = MappingProxyType({}),
    restart: Callable[[], object] = lambda: None,
) -> int:
    """Work until SIGTERM or SIGINT, and return the exit code. A second signal cuts the drain short.

    Messages about runs are delivered beside the runs. `restart` replaces this process by a new one; it is called once a handler
    does not stop.
    """
    courier = CourierThread(url, partial(_hire, settings, {**app.jobs, **builtin}))
    worker = Worker(
        app,
        address=settings.app,
        url=url,
        concurrency=settings.concurrency,
        lease=settings.lease,
        drain=settings.drain,
        listen=settings.notify,
        job_types=types,
        builtin=builtin,
        restart=partial(_restart, courier, restart),
    )
    uvloop.run(_run(worker, courier))
    return 0


def _hire(settings: Settings, jobs: Mapping[str, Job], pool: Pool) -> Courier:
    desk = Desk({name: job.label for name, job in jobs.items()}, settings.base_url)
    keyring = partial(load_keyring, settings.data_dir, settings.encryption_keys)
    return Courier(
        pool,
        {
            "mail": ByMail(channel_of(settings), desk),
            "webhook": ByWebhook(keyring, desk, private=settings.private_webhooks),
        },
        hold=settings.lease,
        alert_email=settings.system_alert_email,
        aftermath=count_against_webhook,
    )


def _restart(courier: CourierThread, restart: Callable[[], object]) -> None:
    courier.stop()
    restart()


async def _run(worker: Worker, courier: CourierThread) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, worker)
    courier.start()
    all_through = await worker.run()
    await asyncio.to_thread(courier.stop)
    if not all_through:
        _leave_the_rest_behind()


def _stop(worker: Worker) -> None:
    if worker.stopping:
        log.info("stopping at once")
        worker.hurry()
    else:
        log.info("stopping: running handlers are waited for")
        worker.stop()


def _leave_the_rest_behind() -> None:
    """End this process now. Python would wait for handlers that do not stop: a plain function in its thread never has to, and a
    coroutine may swallow its cancellation. Their runs have been given back already."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
