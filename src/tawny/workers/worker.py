"""A worker: handlers in the caller's loop, everything that keeps the lease in a thread of its own.

A handler that blocks its loop, or burns the processor, costs itself and its neighbours time. It does not cost them the lease.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from random import random
from types import MappingProxyType
from typing import Any

import structlog
import uvloop

from tawny.db.pool import UNREACHABLE, Pool, open_pool
from tawny.jobs import App, Job
from tawny.runs import Finish
from tawny.workers import verdict
from tawny.workers.attempt import Attempt, Checkpoint
from tawny.workers.backoff import Backoff
from tawny.workers.control import Control
from tawny.workers.handlers import Ended, Handlers
from tawny.workers.inbox import Inbox
from tawny.workers.isolate import Isolation
from tawny.workers.lifespan import entered
from tawny.workers.reap import reap_forever
from tawny.workers.tick import tick_forever
from tawny.workers.transactions import Transactions

log = structlog.get_logger()

_LAST_WRITES = 3.0
"""Seconds that the last finishes get to reach the database when a worker stops."""


class Worker:
    """Executes runs until it is told to stop.

    `await worker.run()` on the loop that handlers are to run in. `stop()` ends it gracefully: nothing is claimed any more,
    running handlers get `drain` seconds, and what is left is given back without a charge. `hurry()` cuts the drain short. Both
    may be called from a signal handler, any number of times.

    A handler that was told to stop and does not leaves no other way than a new process. The worker then drains in the same way
    and calls `restart`, from its control thread, since the handlers' loop may be what is blocked.

    `address`, `module:attribute`, is where the processes of isolated runs find the app. Without it all runs share this process.
    `job_types` are those of the app's to execute, all of them unless given; `builtin` are the server's own.
    """

    def __init__(
        self,
        app: App,
        *,
        url: str,
        address: str | None = None,
        concurrency: int = 100,
        lease: float = 15.0,
        drain: float = 10.0,
        listen: bool = True,
        job_types: Sequence[str] | None = None,
        builtin: Mapping[str, Job] = MappingProxyType({}),
        restart: Callable[[], object] = lambda: None,
    ) -> None:
        self._app = app
        self._url = url
        self._address = address
        self._concurrency = concurrency
        self._lease = lease
        self._drain = drain
        self._listen = listen
        chosen = {name: job for name, job in app.jobs.items() if job_types is None or name in job_types}
        self._jobs = {**chosen, **builtin}
        self._restart = restart
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._machinery: _ControlThread | None = None
        self.ready = asyncio.Event()

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def stop(self) -> None:
        if self._machinery is not None:
            self._machinery.stop_claiming()
        self._stopping.set()

    def hurry(self) -> None:
        self.stop()
        self._hurry.set()

    async def run(self) -> bool:
        """Work until stopped. False when handlers were left behind, whose runs have been given back."""
        async with entered(self._app) as state:
            return await self._work(state)

    async def _work(self, state: Any) -> bool:
        threads = ThreadPoolExecutor(self._concurrency, thread_name_prefix="tawny-handler")
        transactions = Transactions(self._url)
        self._machinery = machinery = _ControlThread(self, threads, transactions, state)
        await machinery.start()
        self.ready.set()
        await self._stopping.wait()
        all_through = await machinery.drain(self._drain, self._hurry)
        await machinery.stop()
        threads.shutdown(wait=False, cancel_futures=True)
        await transactions.close()
        return all_through


class _ControlThread:
    """The thread of claims, renewals, writes, reaping and ticks, and the bridges between it and the handlers' loop."""

    def __init__(self, worker: Worker, threads: ThreadPoolExecutor, transactions: Transactions, state: Any) -> None:
        """Call it on the handlers' loop."""
        self._worker = worker
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tawny-control", daemon=True)
        self._isolation = None if worker._address is None else Isolation(worker._address, worker._url)
        self._handlers = Handlers(
            worker._jobs, threads, self._put_ended, transactions=transactions, state=state, isolation=self._isolation
        )
        self._to_start: Inbox[list[Attempt]] = Inbox(asyncio.get_running_loop(), self._start_all)
        self._control = Control(
            worker._url,
            jobs=worker._jobs,
            concurrency=worker._concurrency,
            lease=worker._lease,
            listen=worker._listen,
            isolating=self._isolation is not None,
            start=self._to_start.put,
            save=self._put_checkpoint,
            stuck=self._on_stuck,
        )
        self._ended: Inbox[Ended] = Inbox(self._loop, self._control.ended)
        self._checkpoints: Inbox[Checkpoint] = Inbox(self._loop, self._store)
        self._tasks: list[asyncio.Task[None]] = []
        self._restarting: asyncio.Task[None] | None = None
        self._left = False

    def _put_ended(self, ended: Ended) -> None:
        self._ended.put(ended)

    def _put_checkpoint(self, checkpoint: Checkpoint) -> None:
        self._checkpoints.put(checkpoint)

    def _store(self, checkpoints: list[Checkpoint]) -> None:
        for checkpoint in checkpoints:
            self._control.writer.checkpoint(checkpoint)

    def _start_all(self, batches: list[list[Attempt]]) -> None:
        for attempts in batches:
            self._handlers.start(attempts)

    # From the handlers' loop

    async def start(self) -> None:
        self._thread.start()
        await self._there(self._begin())

    def stop_claiming(self) -> None:
        self._control.stop_claiming()

    async def drain(self, seconds: float, hurry: asyncio.Event) -> bool:
        """Wait for running handlers as long as may be. Whether all of them are through."""
        self.stop_claiming()
        quiet = asyncio.ensure_future(self._there(self._control.quiet()))
        hurried = asyncio.ensure_future(hurry.wait())
        await asyncio.wait({quiet, hurried}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        all_through = quiet.done()
        for waiting in (quiet, hurried):
            waiting.cancel()
        return all_through

    async def stop(self) -> None:
        await self._there(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join)
        self._loop.close()

    async def _there(self, doing: Coroutine[Any, Any, None]) -> None:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(doing, self._loop))

    # In the control thread

    async def _begin(self) -> None:
        self._tasks = [
            asyncio.create_task(self._control.run()),
            asyncio.create_task(self._control.writer.run()),
            asyncio.create_task(self._on_its_own("tawny-reaper", partial(reap_forever, lease=self._worker._lease))),
            asyncio.create_task(
                self._on_its_own("tawny-ticker", partial(tick_forever, jobs=self._worker._jobs, notify=self._worker._listen))
            ),
        ]

    async def _on_its_own(self, application: str, work: Callable[[Pool], Coroutine[Any, Any, None]]) -> None:
        """Do this work for ever on a connection that it shares with nothing else, so that no lock holds up the lease."""
        backoff = Backoff()
        while True:
            with suppress(*UNREACHABLE):
                pool = await open_pool(self._worker._url, size=1, application=application)
                try:
                    await work(pool)
                finally:
                    pool.terminate()
            await asyncio.sleep(backoff.next())

    def _on_stuck(self) -> None:
        if self._restarting is None:
            self._restarting = asyncio.create_task(self._restart())

    async def _restart(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WRITES):
                await self._control.stuck.told()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._worker._drain):
                await self._control.quiet()
        self._control.end_stuck(self._timed_out)
        await self._end()
        if not self._worker.stopping:
            log.warning("this worker starts again, to be rid of handlers that do not stop")
            self._worker._restart()

    def _timed_out(self, attempt: Attempt) -> Finish:
        return verdict.timed_out(self._worker._jobs[attempt.claimed.job_type], attempt, random())  # noqa: S311

    async def _end(self) -> None:
        if self._left:
            return
        self._left = True
        self._control.stop_claiming()
        if self._isolation is not None:
            await asyncio.to_thread(self._isolation.end)  # before their runs are given back
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WRITES):
                await self._control.writer.drained()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # what was terminated is closed in the loop's next turn
        try:
            await self._control.leave()
        except UNREACHABLE as error:
            log.warning("could not say goodbye; others take these runs back when the lease ends", error=type(error).__name__)
