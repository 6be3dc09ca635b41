"""The process of one attempt: `python -m tawny.workers.isolated FD`, started by a worker that holds the other end of FD."""

from __future__ import annotations

import ctypes
import faulthandler
import io
import os
import resource
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import Any, Final

import uvloop

from tawny.errors import StartError
from tawny.jobs import Job, load_app
from tawny.workers.channel import Channel
from tawny.workers.execute import execute
from tawny.workers.handover import Handover
from tawny.workers.lifespan import entered
from tawny.workers.link import Link
from tawny.workers.transactions import Transactions

_PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    _prepare()
    channel = _channel(int(sys.argv[1]))
    messages = iter(channel)
    _, given = next(messages)
    handover = Handover.of_json(given)
    if os.getppid() != handover.parent:
        os._exit(1)  # it died before the kernel was asked to tell
    uvloop.run(_serve(handover, Link(channel, messages, handover)))


def _prepare() -> None:
    """Die with the worker, leave the place of a crash in the log and nothing on the disk, and print line by line."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)


def _channel(fd: int) -> Channel:
    end = socket.socket(fileno=fd)
    end.set_inheritable(False)
    return Channel(end)


async def _serve(handover: Handover, link: Link) -> None:
    link.open()
    transactions = Transactions(handover.url)
    link.attempt.open_transaction = transactions.open
    async with AsyncExitStack() as stack:
        stack.push_async_callback(transactions.close)
        try:
            job, state = await _opened(handover, stack)
        except StartError as error:
            return link.broken(str(error))
        link.began()
        threads = ThreadPoolExecutor(1, thread_name_prefix="tawny-handler")
        return link.ended(await execute(job, link.attempt, threads, state))


async def _opened(handover: Handover, stack: AsyncExitStack) -> tuple[Job, Any]:
    """The job type as the app defines it now, and what its lifespan opened."""
    app = load_app(handover.app)
    job = app.jobs.get(handover.claimed.job_type)
    if job is None:
        raise StartError(f'The app {handover.app} has no job type "{handover.claimed.job_type}" any more.')
    return job, await stack.enter_async_context(entered(app))


if __name__ == "__main__":
    main()
