"""An author's app, copied beside the processes of a walk. Its handlers write what happens to them into a ledger."""

from __future__ import annotations

import ctypes
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tawny import LeaseLost, Run, Tawny

app = Tawny()


def note(what: str, run: Run, **more: Any) -> None:
    """One line in one write to the end of the ledger, with the time on a clock that all processes of the machine share."""
    fact = {"what": what, "run": str(run.id), "attempt": run.attempt, "pid": os.getpid(), "at": time.monotonic(), **more}
    ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(ledger, f"{json.dumps(fact)}\n".encode())
    finally:
        os.close(ledger)


@app.job("steps", retries=0)
def steps(run: Run, count: int, seconds: float = 0.05) -> dict[str, int]:
    """Take `count` steps with a checkpoint after each."""
    done = run.checkpointed or 0
    note("started", run, done=done)
    for step in range(done + 1, count + 1):
        run.check_cancelled()
        time.sleep(seconds)
        run.progress(step, count)
        run.checkpoint(step)
        note("stepped", run, step=step)
    return {"attempt": run.attempt, "steps": count}


for number in range(3):
    app.job(f"neighbour_{number}")(steps)


@app.job("stubborn")
def stubborn(run: Run, gate: str) -> dict[str, int]:
    """Go on until the file `gate` is there. An attempt that has lost its lease tries everything that it may not."""
    note("started", run)
    try:
        while not Path(gate).exists():
            time.sleep(0.01)
            run.progress(run.attempt, 100, f"attempt {run.attempt}")
    except LeaseLost:
        forbidden: dict[str, Callable[[], object]] = {
            "progress": lambda: run.progress(99, 100, "stale"),
            "checkpoint": lambda: run.checkpoint("stale"),
            "cancelled": lambda: run.cancelled,
            "track": lambda: list(run.track(range(3))),
        }
        for name, attempt in forbidden.items():
            note(_tried(attempt), run, call=name)
    note("returned", run)
    return {"attempt": run.attempt}


@app.job("holds", isolate="process", cancel_grace="0.1s")
def holds(run: Run) -> None:
    """Never let go of the interpreter lock, so that no other thread of this process comes to act."""
    note("started", run)
    ctypes.PyDLL(None).sleep(600)


@app.job("short", isolate="process", unique_by=("number",))
def short(run: Run, number: int) -> dict[str, int]:
    return {"pid": os.getpid()}


def _tried(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except LeaseLost:
        return "refused"
    return "accepted"


@app.job("poison")
def poison(run: Run) -> None:
    """Take the whole worker down, though not before its neighbours have saved a checkpoint."""
    note("started", run)
    time.sleep(0.3)
    os._exit(66)
