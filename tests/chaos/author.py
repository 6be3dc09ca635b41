"""The app that the harness runs. Its handlers write down what happens to them."""

from __future__ import annotations

import asyncio
import ctypes
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, NoReturn

from tests.chaos.ledger import write

from tawny import LeaseLost, Run, Tawny

app = Tawny()


def note(what: str, run: Run, **more: Any) -> None:
    write(os.environ["LEDGER"], what, run=str(run.id), attempt=run.attempt, pid=os.getpid(), **more)


@contextmanager
def told(run: Run) -> Iterator[None]:
    """Note when an attempt starts and ends. One that has lost its lease tries everything that it may not do."""
    note("start", run)
    try:
        yield
    except LeaseLost:
        forbidden: dict[str, Callable[[], object]] = {
            "progress": lambda: run.progress(0, 1, _mark(run)),
            "cancelled": lambda: run.cancelled,
            "log": lambda: run.log.info("stale"),
        }
        for call, attempt in forbidden.items():
            note(_tried(attempt), run, call=call)
        raise
    note("end", run)


def _tried(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except LeaseLost:
        return "refused_call"
    return "accepted"


def _mark(run: Run) -> str:
    return f"attempt {run.attempt}"


def step(run: Run, number: int, steps: int) -> None:
    """Act once, which is writing it down; the call before it says whether this attempt still may."""
    checked = monotonic()
    run.progress(number, steps, _mark(run))
    note("step", run, step=number, checked=checked)


# The everyday work


@app.job("work")
def work(run: Run, call: str, steps: int, millis: int) -> dict[str, int]:
    """In a thread, with a checkpoint at every second step."""
    with told(run):
        for number in range((run.checkpointed or 0) + 1, steps + 1):
            run.check_cancelled()
            time.sleep(millis / 1000)
            step(run, number, steps)
            if number % 2 == 0:
                run.checkpoint(number)
    return {"attempt": run.attempt}


@app.job("stride")
async def stride(run: Run, call: str, steps: int, millis: int) -> dict[str, int]:
    """On the loop, without checkpoints."""
    with told(run):
        for number in range(1, steps + 1):
            run.check_cancelled()
            await asyncio.sleep(millis / 1000)
            step(run, number, steps)
    return {"attempt": run.attempt}


@app.job("book", retries=5)
async def book(run: Run, call: str, steps: int, millis: int) -> dict[str, int]:
    """One row of the author's own, committed together with the checkpoint that says so."""
    with told(run):
        for number in range(1, steps + 1):
            await asyncio.sleep(millis / 1000)
            step(run, number, steps)
        if run.checkpointed is None:
            async with run.transaction() as tx:
                await tx.execute("insert into chaos_effects (run_id, attempt) values ($1, $2)", run.id, run.attempt)
                note("in transaction", run)
                await asyncio.sleep(millis / 1000)
                tx.checkpoint("booked")
    return {"attempt": run.attempt}


@app.job("doze")
async def doze(run: Run, call: str, seconds: float) -> dict[str, int]:
    """Nothing for longer than a lease, and then one step."""
    with told(run):
        await asyncio.sleep(seconds)
        step(run, 1, 1)
    return {"attempt": run.attempt}


@app.job("clutch")
def clutch(run: Run, call: str, seconds: float) -> None:
    """Hold the interpreter lock, so that not even the thread that renews the lease gets to run."""
    with told(run):
        step(run, 1, 2)
        ctypes.PyDLL(None).usleep(int(seconds * 1_000_000))
        step(run, 2, 2)


@app.job("blink", unique_by=("call",))
async def blink(run: Run, call: str) -> None:
    """As short as can be: only its start is of interest."""
    note("start", run)


@app.job("chime")
async def chime(run: Run) -> None:
    """What schedules start."""
    note("start", run)


def wrong_clock(skew: str) -> None:
    """Let the clock of this process be wrong by so many seconds; by `back 3600` it jumps back while the process works."""
    seconds = float(skew.split()[-1])
    since = monotonic() + 3 if skew.startswith("back") else 0.0
    real = time.time_ns

    def time_ns() -> int:
        off = (-seconds if monotonic() >= since else 0.0) if since else seconds
        return real() + int(off * 1e9)

    time.time_ns = time_ns
    time.time = lambda: time_ns() / 1e9


if os.environ.get("CLOCK_SKEW"):
    wrong_clock(os.environ["CLOCK_SKEW"])


# Poison. What would take its worker down is isolated from its second crash on; what never ends has to be from the first.


class Unprintable(Exception):
    def __str__(self) -> str:
        raise SystemExit(4)


@app.job("exits_hard")
def exits_hard(run: Run, call: str) -> NoReturn:
    note("start", run)
    os._exit(66)


@app.job("segfaults")
def segfaults(run: Run, call: str) -> None:
    note("start", run)
    ctypes.string_at(0)


@app.job("eats_memory", isolate="process")
def eats_memory(run: Run, call: str) -> None:
    note("start", run)
    resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
    hoard = []
    while True:
        hoard.append(bytes(2**24))


@app.job("spins", isolate="process", timeout="1s")
def spins(run: Run, call: str) -> None:
    note("start", run)
    while True:
        pass


@app.job("recurses")
def recurses(run: Run, call: str) -> None:
    recurses(run, call)


@app.job("exits")
def exits(run: Run, call: str) -> NoReturn:
    sys.exit(3)


@app.job("raises_base_exception")
async def raises_base_exception(run: Run, call: str) -> NoReturn:
    raise KeyboardInterrupt


@app.job("cannot_say_why")
async def cannot_say_why(run: Run, call: str) -> NoReturn:
    raise Unprintable


@app.job("says_nul")
async def says_nul(run: Run, call: str) -> NoReturn:
    raise ValueError("nul \0 and half a pair \ud800")


POISON = (
    "exits_hard",
    "segfaults",
    "eats_memory",
    "spins",
    "recurses",
    "exits",
    "raises_base_exception",
    "cannot_say_why",
    "says_nul",
)
