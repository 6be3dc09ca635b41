"""The worker of `tawny serve`: a child process that is kept alive."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic

import structlog

from tawny.cli.child import Child

_FIRST_DELAY = 1.0
_LONGEST_DELAY = 30.0
_HURRIED = 5.0  # seconds for giving runs back
_STEADY = 60.0  # seconds after which a worker counts as having worked

log = structlog.get_logger()


class WorkerProcess:
    """Runs `tawny work`, and runs it again when it ends by itself."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = dict(environ)
        self._stopping = asyncio.Event()
        self._child: Child | None = None
        self._keeper = asyncio.create_task(self._keep_alive())

    def ask_to_stop(self) -> None:
        """Send SIGTERM: the first one lets runs finish, the second one gives them back at once. Not started again."""
        if self._stopping.is_set():
            asyncio.get_running_loop().call_later(_HURRIED, self._kill)
        self._stopping.set()
        if self._child is not None:
            self._child.ask_to_stop()

    async def stop(self, within: float) -> None:
        """Return when the worker has ended; after `within` seconds it is killed, with all that it started."""
        if not self._stopping.is_set():
            self.ask_to_stop()
        try:
            async with asyncio.timeout(within):
                await asyncio.shield(self._keeper)
        except TimeoutError:
            self._kill()
            await self._keeper

    async def _keep_alive(self) -> None:
        delay = _FIRST_DELAY
        while not self._stopping.is_set():
            started = monotonic()
            code = await self._run()
            if self._stopping.is_set():
                return
            delay = _FIRST_DELAY if monotonic() - started > _STEADY else delay
            log.warning("the worker has ended and is started again", exit_code=code, delay=delay)
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._stopping.wait()
            delay = min(delay * 2, _LONGEST_DELAY)

    async def _run(self) -> int:
        self._child = await Child.start("work", environ=self._environ)
        if self._stopping.is_set():
            self._child.ask_to_stop()
        return await self._child.ended()

    def _kill(self) -> None:
        if self._child is not None and self._child.running:
            log.warning("the worker did not stop in time and is killed; its runs are taken over once its lease ends")
            self._child.kill()
