"""The floor of a worker: its claim and finish statements in a loop, with nothing executed in between.

Started by the benchmark, which gives it what it needs as JSON on stdin. It enlists for an hour, so it renews nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import uvloop

from tawny.db.ids import uuid7
from tawny.db.pool import can_listen, connect

_BATCH = 100
_POLL = 1.0


@dataclass(frozen=True, slots=True)
class Given:
    """What it is told: the texts of the statements, and how many connections loop. `channel`: wait there for wake-ups."""

    url: str
    job_type: str
    connections: int
    channel: str | None
    enlist: str
    claim: str
    finish: str


async def work(given: Given) -> None:
    """Loop until stopped."""
    await asyncio.gather(*(_loop(given) for _ in range(given.connections)))


async def _loop(given: Given) -> None:
    conn = await connect(given.url, application="bench-floor")
    worker_id = uuid7()
    woken = asyncio.Event()
    if given.channel and can_listen(conn):
        await conn.add_listener(given.channel, lambda *_: woken.set())
    await conn.execute(given.enlist, worker_id, os.getpid())
    while True:
        while await _turn(conn, given, worker_id):
            pass
        await _nap(woken)


async def _turn(conn: asyncpg.Connection, given: Given, worker_id: UUID) -> bool:
    """Claim a batch and finish it. False when nothing was due."""
    claimed = await conn.fetch(given.claim, worker_id, [given.job_type], _BATCH)
    if not claimed:
        return False
    result = json.dumps({"entered_ns": time.monotonic_ns()}) if given.channel else None
    await conn.fetch(given.finish, *_finishes(claimed, result))
    return True


def _finishes(claimed: list[Any], result: str | None) -> list[list[Any]]:
    ordered = sorted((row["id"], row["attempt"]) for row in claimed)
    n = len(ordered)
    ids, attempts = [run_id for run_id, _ in ordered], [attempt for _, attempt in ordered]
    nothing = [None] * n
    return [ids, attempts, ["completed"] * n, [result] * n, nothing, nothing, nothing, nothing, nothing]


async def _nap(woken: asyncio.Event) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(woken.wait(), _POLL)
    woken.clear()


if __name__ == "__main__":
    uvloop.run(work(Given(**json.load(sys.stdin))))
