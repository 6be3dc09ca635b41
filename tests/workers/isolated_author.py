"""An author's app whose runs have processes of their own. What its handlers do to theirs, no test could survive."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tawny import Run, Tawny


@asynccontextmanager
async def lifespan(app: Tawny) -> AsyncIterator[dict[str, int]]:
    yield {"opened_by": os.getpid()}
    print("closed", flush=True)


app = Tawny(lifespan=lifespan)


def _told(run: Run, month: str, count: int) -> dict[str, Any]:
    run.progress(1, 2, "half")
    run.log.info("Told", count=count)
    return {
        "month": month,
        "count": count,
        "attempt": run.attempt,
        "pid": os.getpid(),
        "parent": os.getppid(),
        "opened_by": run.state["opened_by"],
        "command_line": Path("/proc/self/cmdline").read_text(),
        "same_project": str(run.project_id) == run.params["project_id"],
    }


@app.job("tells", isolate="process")
async def tells(run: Run, month: str, count: int, project_id: str) -> dict[str, Any]:
    return _told(run, month, count)


@app.job("tells_plainly", isolate="process")
def tells_plainly(run: Run, month: str, count: int, project_id: str) -> dict[str, Any]:
    return _told(run, month, count)


@app.job("blocks", isolate="process")
async def blocks(run: Run) -> dict[str, int]:
    """Never let the loop do anything else, and look for a cancel."""
    looks = 0
    while not run.cancelled:
        looks += 1
        run.progress(looks, message=str(os.getpid()))
        time.sleep(0.001)
    return {"looks": looks}


@app.job("deaf", isolate="process", cancel_grace="0.1s")
def deaf(run: Run) -> None:
    run.progress(1, message=str(os.getpid()))
    while True:
        pass


@app.job("spins", isolate="process", timeout="0.2s")
async def spins(run: Run) -> None:
    run.log.info("spinning")
    while True:
        pass


@app.job("spins_plainly", isolate="process", timeout="0.2s")
def spins_plainly(run: Run) -> None:
    run.log.info("spinning")
    while True:
        pass


@app.job("resumes", isolate="process")
async def resumes(run: Run) -> dict[str, Any]:
    if run.checkpointed is None:
        await run.checkpoint({"first": os.getpid()})
        run.log.info("saved")
        os.kill(os.getpid(), signal.SIGKILL)
    return {"checkpointed": run.checkpointed, "attempt": run.attempt}


@app.job("resumes_plainly", isolate="process")
def resumes_plainly(run: Run) -> dict[str, Any]:
    for step in range(20):
        run.checkpoint({"step": step})
    return {"checkpointed": run.checkpointed}


@app.job("segfaults", isolate="process")
async def segfaults(run: Run) -> None:
    ctypes.string_at(0)


@app.job("exits", isolate="process")
def exits(run: Run) -> None:
    os._exit(3)


@app.job("leaves", isolate="process")
def leaves(run: Run) -> None:
    sys.exit("leaving")


@app.job("devours", isolate="process")
def devours(run: Run) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
    bytearray(2**32)


@app.job("neighbour", isolate="process")
def neighbour(run: Run) -> None: ...


@app.job("at_home")
def at_home(run: Run) -> dict[str, int]:
    return {"pid": os.getpid()}


@app.job("prints", isolate="process")
def prints(run: Run) -> None:
    print("from print")
    print("to stderr", file=sys.stderr)
    sys.stdout.flush()
    os.write(1, b"\n\xff from a descriptor\n")
    ctypes.CDLL(None).dprintf(2, b"from C\n")
    subprocess.run(["sh", "-c", "echo from a grandchild"], check=True)
    os.write(1, b"x" * 30_000 + b"\nafter it\nwithout an end, ")


@app.job("chats", isolate="process")
def chats(run: Run, lines: int) -> None:
    for number in range(lines):
        run.log.info(f"line {number}")


@app.job("begets", isolate="process")
def begets(run: Run) -> dict[str, int]:
    """Leave two behind that keep the streams open; one of them has left the process group as well."""
    return {
        "child": subprocess.Popen(["sleep", "600"]).pid,
        "stranger": subprocess.Popen(["sleep", "600"], start_new_session=True).pid,
    }


@app.job("writes", isolate="process")
async def writes(run: Run, gate: str) -> None:
    """Write a row, and commit once there is a file `gate`."""
    async with run.transaction() as tx:
        await tx.execute("insert into months values ($1)", str(run.id))
        tx.checkpoint("written")
        run.progress(1, 2, message=str(os.getpid()))
        while not Path(gate).exists():
            time.sleep(0.001)


@app.job("outlasts", isolate="process")
def outlasts(run: Run) -> dict[str, int]:
    """The first attempt goes on for ever, the second one until the first is gone."""
    if run.checkpointed is None:
        run.checkpoint(os.getpid())
        while True:
            pass
    while Path(f"/proc/{run.checkpointed}").exists():
        time.sleep(0.001)
    return {"attempt": run.attempt}


@app.job("awaits", isolate="process")
def awaits(run: Run, gate: str) -> None:
    run.progress(1, 2, message=str(os.getpid()))
    while not Path(gate).exists():
        time.sleep(0.001)


@asynccontextmanager
async def closed_lifespan(app: Tawny) -> AsyncIterator[None]:
    raise ConnectionError("the cache is away")
    yield


closed = Tawny(lifespan=closed_lifespan)
closed.job("neighbour", isolate="process")(neighbour)
empty = Tawny()
