"""One run for all requests that carry the same idempotency key: the first answer is kept for a day, and given again."""

from __future__ import annotations

import hashlib
import json

import asyncpg

from tawny.db.pool import Connection
from tawny.errors import Conflict, IdempotencyMisuse
from tawny.runs.make import Once, Triggered, Wanted, make
from tawny.runs.statements import queries

_BATCH = 1_000


async def make_once(conn: Connection, wanted: Wanted, key: str | None) -> Triggered:
    """Make the run, unless a request of this team with the same key has made it within the last 24 hours.

    Then its answer is returned again, `replayed`, whatever has become of the run. IdempotencyMisuse when that request asked
    for something else. Without a key, and for the first one with it, as `make`. With a key, not inside a transaction.
    """
    if key is None:
        return await make(conn, wanted)
    once = Once(key, _hash(wanted))
    try:
        return await _first_answer(conn, wanted, once) or await make(conn, wanted, once)
    except (asyncpg.UniqueViolationError, Conflict):
        # The key, or the slot, was taken meanwhile: perhaps by this very request, sent a second time.
        first = await _first_answer(conn, wanted, once)
        if first is None:
            raise
        return first


async def forget_answers(conn: Connection) -> int:
    """Delete the answers that are more than 24 hours old, in short statements, and return how many there were."""
    forgotten = batch = await queries.forget_answers(conn, at_most=_BATCH)
    while batch == _BATCH:
        batch = await queries.forget_answers(conn, at_most=_BATCH)
        forgotten += batch
    return int(forgotten)


async def _first_answer(conn: Connection, wanted: Wanted, once: Once) -> Triggered | None:
    first = await queries.first_answer(conn, team_id=wanted.team_id, key=once.key)
    if first is None:
        return None
    if first["request_hash"] != once.request_hash:
        raise IdempotencyMisuse("This Idempotency-Key came with another request before; use a new key for each request.")
    return Triggered(first["run_id"], first["answer"], replayed=True)


def _hash(wanted: Wanted) -> bytes:
    """A hash of what was asked for; who asked does not matter."""
    asked = {
        "team_id": str(wanted.team_id),
        "project_id": str(wanted.project_id),
        "job_type": wanted.job.name,
        "params": wanted.params,
        "notify": wanted.notify,
        "retry_of": wanted.retry_of and str(wanted.retry_of),
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).digest()
