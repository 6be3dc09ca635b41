"""Tests wait on facts, never on time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from time import monotonic
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE = 10.0
"""Seconds after which a fact that does not come is taken for a failure."""


def ends(work: Callable[[], object]) -> None:
    """Do this, and fail when it does not come to an end: what grows by the square of its input takes minutes here."""
    done: Future[None] = Future()

    def through() -> None:
        try:
            work()
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    threading.Thread(target=through, daemon=True).start()
    done.result(PATIENCE)


async def until(fact: Callable[[], Awaitable[T]], what: str) -> T:
    """Ask for a fact until it is there, and return it."""
    deadline = monotonic() + PATIENCE
    while not (found := await fact()):
        assert monotonic() < deadline, f"this never came: {what}"
        await asyncio.sleep(0.005)
    return found


async def somebody_waits(conn: Any) -> None:
    """Return once a statement in this connection's database waits for a lock."""
    waiting = """
        select exists (
            select from pg_locks as l join pg_stat_activity as a on a.pid = l.pid
            where not l.granted and a.datname = current_database()
        )
    """
    await until(lambda: conn.fetchval(waiting), "a statement that waits for a lock")
