"""Runs from their trigger until they are seen completed.

A client has to look whether its run is completed, and each look costs the server. So a lane looks first when recent runs were
through (a moving average, shared by all lanes, that shrinks by a tenth whenever the first look came too late), and then every
2 ms. What is measured ends with the look that sees `completed`, so this waiting is part of every figure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from time import perf_counter

from bench.client.connection import Connection, connect
from bench.client.plan import Complete, Sample
from bench.client.summary import in_ms
from bench.process import cpu_seconds

_AGAIN = 0.002
_ID = b'"id":"'
_COMPLETED = b'"status":"completed"'
_UNDER_WAY = (b'"status":"pending"', b'"status":"running"')


async def complete(plan: Complete) -> Sample:
    lanes = [_Lane(await connect(plan.port), trigger, plan.view) for trigger in plan.triggers]
    look = _FirstLook()
    await _go(lanes, plan.warm_up, look)
    looks, began = sum(lane.looks for lane in lanes), perf_counter()
    cpu, worker_cpu = cpu_seconds(plan.pid), cpu_seconds(plan.worker_pid)
    latencies = await _go(lanes, plan.count, look)
    seconds = perf_counter() - began
    return {
        "per_second": plan.count / seconds,
        **in_ms(latencies),
        "cpu_us": (cpu_seconds(plan.pid) - cpu) / plan.count * 1e6,
        "worker_cpu_us": (cpu_seconds(plan.worker_pid) - worker_cpu) / plan.count * 1e6,
        "looks_per_run": (sum(lane.looks for lane in lanes) - looks) / plan.count,
    }


async def _go(lanes: list[_Lane], count: int, look: _FirstLook) -> list[float]:
    todo, latencies = iter(range(count)), list[float]()
    await asyncio.gather(*(lane.go(todo, look, latencies) for lane in lanes))
    return latencies


class _FirstLook:
    """How long after the answer to a trigger the first look is worth its cost, in seconds."""

    def __init__(self) -> None:
        self.after = 0.0

    def learn(self, took: float, *, at_once: bool) -> None:
        self.after = self.after * 0.9 if at_once else self.after * 0.8 + took * 0.2


class _Lane:
    """One of the runs in flight: a connection and a project."""

    def __init__(self, connection: Connection, trigger: str, view: tuple[str, str]) -> None:
        self._connection = connection
        self._trigger = trigger.encode()
        self._before, self._behind = view[0].encode(), view[1].encode()
        self.looks = 0

    async def go(self, todo: Iterator[int], look: _FirstLook, latencies: list[float]) -> None:
        for _ in todo:
            sent = perf_counter()
            run_id = run_id_in((await self._connection.ask(self._trigger)).body)
            await self._completed(run_id, look)
            latencies.append(perf_counter() - sent)

    async def _completed(self, run_id: bytes, look: _FirstLook) -> None:
        began, looks = perf_counter(), self.looks
        await asyncio.sleep(look.after)
        while not await self._is_completed(run_id):
            await asyncio.sleep(_AGAIN)
        look.learn(perf_counter() - began, at_once=self.looks == looks + 1)

    async def _is_completed(self, run_id: bytes) -> bool:
        self.looks += 1
        return is_completed((await self._connection.ask(self._before + run_id + self._behind)).body)


def run_id_in(body: bytes) -> bytes:
    """The id of the run in an answer."""
    begin = body.index(_ID) + len(_ID)
    return body[begin : begin + 36]


def is_completed(body: bytes) -> bool:
    """Whether the run in an answer is completed; RuntimeError when it ended otherwise."""
    if _COMPLETED in body:
        return True
    if not any(status in body for status in _UNDER_WAY):
        raise RuntimeError(f"a run ended otherwise: {body[:500]!r}")
    return False
