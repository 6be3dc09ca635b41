"""Requests as fast as they are answered."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import cycle, islice
from time import perf_counter

from bench.client.connection import Connection, connect
from bench.client.plan import Hammer, Sample
from bench.client.summary import in_ms
from bench.process import cpu_seconds


async def hammer(plan: Hammer) -> Sample:
    connections = [await connect(plan.port) for _ in range(plan.connections)]
    requests = cycle([request.encode() for request in plan.requests])
    await _ask_all(connections, islice(requests, plan.warm_up))
    cpu, began = cpu_seconds(plan.pid), perf_counter()
    latencies = await _ask_all(connections, islice(requests, plan.count))
    seconds, cpu = perf_counter() - began, cpu_seconds(plan.pid) - cpu
    for connection in connections:
        connection.close()
    rates = {"per_second": plan.count / seconds, "each_us": seconds / plan.count * 1e6}
    return rates | in_ms(latencies) | {"cpu_us": cpu / plan.count * 1e6}


async def _ask_all(connections: list[Connection], requests: Iterator[bytes]) -> list[float]:
    """Seconds that each answer took."""
    latencies: list[float] = []
    await asyncio.gather(*(_ask(connection, requests, latencies) for connection in connections))
    return latencies


async def _ask(connection: Connection, requests: Iterator[bytes], latencies: list[float]) -> None:
    for request in requests:  # shared by all connections: whoever is free takes the next one
        sent = perf_counter()
        await connection.ask(request)
        latencies.append(perf_counter() - sent)
