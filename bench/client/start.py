"""Single runs on an idle system: how long until the handler is entered."""

from __future__ import annotations

import asyncio
import json
import random
import time
from datetime import datetime
from typing import Any

from bench.client.complete import is_completed, run_id_in
from bench.client.connection import Connection, connect
from bench.client.plan import Sample, Start
from bench.client.summary import in_ms

_SHORTEST, _LONGEST = 0.05, 0.15
_WARM_UP = 2


async def start(plan: Start) -> Sample:
    """`p50_ms`: from sending the trigger until the handler was entered, on one clock. `claimed_…`: `created_at` to `started_at`.

    The pauses have no beat of their own, and nothing is asked while a run is about to start.
    """
    connection = await connect(plan.port)
    pause = random.Random(1)
    runs = [await _one(connection, plan, pause) for _ in range(_WARM_UP + plan.count)][_WARM_UP:]
    return in_ms([entered for entered, _ in runs]) | in_ms([claimed for _, claimed in runs], "claimed_")


async def _one(connection: Connection, plan: Start, pause: random.Random) -> tuple[float, float]:
    await asyncio.sleep(pause.uniform(_SHORTEST, _LONGEST))
    sent = time.monotonic_ns()
    body = (await connection.ask(plan.trigger.encode())).body
    view = (plan.view[0] + run_id_in(body).decode() + plan.view[1]).encode()
    while not is_completed(body):
        await asyncio.sleep(_SHORTEST)
        body = (await connection.ask(view)).body
    run = json.loads(body)["job_run"]
    return (run["result"]["entered_ns"] - sent) / 1e9, _seconds_between(run, "created_at", "started_at")


def _seconds_between(run: dict[str, Any], first: str, last: str) -> float:
    return (datetime.fromisoformat(run[last]) - datetime.fromisoformat(run[first])).total_seconds()
