"""Handlers that do what no handler should, each in its own way; and neighbours that only want to work."""

from __future__ import annotations

import asyncio
import ctypes
import os
import resource
import subprocess
import sys
import threading
import time
from typing import Any, NoReturn

from author import note

from tawny import JobFailed, Run, Tawny

app = Tawny()


@app.job("neighbour", unique_by=("number",))
async def neighbour(run: Run, number: int) -> dict[str, int]:
    """Work a little, with a checkpoint after each step."""
    done = run.checkpointed or 0
    for step in range(done + 1, 21):
        await asyncio.sleep(0.05)
        run.progress(step, 20)
        await run.checkpoint(step)
    note("worked", run, number=number)
    return {"number": number}


# What raises


class Unprintable(Exception):
    def __str__(self) -> str:
        raise SystemExit(4)


class NotEvenAnException(BaseException):
    pass


@app.job("raises_base_exception")
async def raises_base_exception(run: Run) -> NoReturn:
    raise NotEvenAnException("out of the ordinary")


@app.job("raises_base_exception_in_a_thread")
def raises_base_exception_in_a_thread(run: Run) -> NoReturn:
    raise NotEvenAnException("out of the ordinary")


@app.job("exits")
async def exits(run: Run) -> NoReturn:
    sys.exit(3)


@app.job("exits_in_a_thread")
def exits_in_a_thread(run: Run) -> NoReturn:
    sys.exit(3)


@app.job("interrupts")
async def interrupts(run: Run) -> NoReturn:
    raise KeyboardInterrupt


@app.job("cancels_itself")
async def cancels_itself(run: Run) -> NoReturn:
    raise asyncio.CancelledError


@app.job("stops_iterating")
def stops_iterating(run: Run) -> NoReturn:
    raise StopIteration


@app.job("recurses")
def recurses(run: Run) -> None:
    recurses(run)


@app.job("cannot_say_why")
async def cannot_say_why(run: Run) -> NoReturn:
    raise Unprintable


@app.job("says_nul")
async def says_nul(run: Run) -> NoReturn:
    raise JobFailed("nul \0, half a pair \ud800, \x1b[31mred\x1b[0m and Bcc:\r\nx")


@app.job("says_ten_megabytes")
async def says_ten_megabytes(run: Run) -> NoReturn:
    raise ValueError("x" * 10 * 2**20)


# What returns


@app.job("returns_nan")
async def returns_nan(run: Run) -> dict[str, Any]:
    return {"value": float("nan")}


@app.job("returns_a_cycle")
async def returns_a_cycle(run: Run) -> dict[str, Any]:
    result: dict[str, Any] = {}
    result["result"] = result
    return result


@app.job("returns_five_megabytes")
async def returns_five_megabytes(run: Run) -> dict[str, Any]:
    return {"value": "x" * 5 * 2**20}


@app.job("returns_bytes")
def returns_bytes(run: Run) -> dict[str, Any]:
    return {"value": b"\xff"}


# What does not stop


@app.job("swallows_cancellation", timeout="0.5s", cancel_grace="0.5s")
async def swallows_cancellation(run: Run) -> None:
    note("began", run)
    while True:
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            continue


@app.job("blocks_for_ever", timeout="0.5s", cancel_grace="0.5s")
def blocks_for_ever(run: Run) -> None:
    threading.Event().wait()


@app.job("blocks_its_loop")
async def blocks_its_loop(run: Run) -> None:
    time.sleep(1)


@app.job("never_ends", isolate="process", timeout="1s")
def never_ends(run: Run) -> None:
    while True:
        pass


# What leaves things behind


@app.job("leaves_threads")
def leaves_threads(run: Run) -> None:
    def go_on() -> None:
        while True:
            run.progress(1, 2)
            time.sleep(0.05)

    for _ in range(20):
        threading.Thread(target=go_on, daemon=True).start()


@app.job("leaves_a_process")
def leaves_a_process(run: Run) -> None:
    subprocess.Popen(["sleep", "2"])


@app.job("floods_its_log")
def floods_its_log(run: Run) -> None:
    for n in range(50_000):
        run.log.info("line", n=n)


# What dies


@app.job("dies", isolate="process")
def dies(run: Run) -> NoReturn:
    os._exit(7)


@app.job("crashes", isolate="process")
def crashes(run: Run) -> None:
    ctypes.string_at(0)


@app.job("eats_memory", isolate="process")
def eats_memory(run: Run) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
    hoard = []
    while True:
        hoard.append(bytes(2**24))


@app.job("takes_its_worker_down")
def takes_its_worker_down(run: Run) -> NoReturn:
    note("began", run)
    time.sleep(0.3)  # its neighbours have begun by now
    os._exit(66)
