"""Tests wait on facts, never on time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 10.0
"""Seconds after which a fact that does not come is taken for a failure."""


async def until(fact: Callable[[], Awaitable[T]], what: str) -> T:
    """Ask for a fact until it is there, and return it."""
    deadline = monotonic() + PATIENCE
    while not (found := await fact()):
        assert monotonic() < deadline, f"this never came: {what}"
        await asyncio.sleep(0.005)
    return found
