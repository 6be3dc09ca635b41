"""A RevenueCat for processes that are started by a test."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tawny.testing.revenuecat import FakeRevenueCat, Options


@contextmanager
def fake_revenuecat(options: Options) -> Iterator[FakeRevenueCat]:
    """A fake without limits, in a thread of its own."""
    fake = FakeRevenueCat(options)
    fake.knobs.limits = False
    up, over = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with fake:
            up.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        assert up.wait(10)
        yield fake
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(10)
        loop.close()


def reaching(fake: FakeRevenueCat) -> dict[str, str]:
    """The settings of a process that talks to it."""
    return {"TAWNY_REVENUECAT_URL": fake.url, "TAWNY_REVENUECAT_RATE": "0"}
