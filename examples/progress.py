"""Progress: `run.track` counts for you, over a list as over an async stream.

Run it:  tawny serve --app examples.progress:app
Try it:  trigger send_letters '{"letters": 60}'; watch
And:     trigger read_feed '{"entries": 60}'; watch

Look at `progress` while they run. The letters have a total, because a list has a length; a stream has none, so its
total is 0 until it is told. `cancel` stops either at its next item.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from tawny import Run, Tawny

app = Tawny()


@app.job("send_letters")
async def send_letters(run: Run, letters: int = 60) -> dict[str, int]:
    """Send letters one by one: an ordinary loop over a list, in an async handler."""
    addresses = [f"reader-{number}@example.com" for number in range(letters)]
    for _address in run.track(addresses, message="{processed} of {total} letters are on their way"):
        await asyncio.sleep(0.05)
    return {"sent": len(addresses)}


@app.job("read_feed")
async def read_feed(run: Run, entries: int = 60, known: bool = False) -> dict[str, int]:
    """Read a stream to its end: `async for`, and a total where one is known beforehand."""
    longest = 0
    async for entry in run.track(feed(entries), total=entries if known else None, message="{processed} of {total} entries"):
        longest = max(longest, len(entry))
    return {"longest": longest}


async def feed(entries: int) -> AsyncIterator[str]:
    for number in range(entries):
        await asyncio.sleep(0.05)
        yield "news " * (number % 5 + 1)
