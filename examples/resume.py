"""Resume after a crash: a checkpoint says where the next attempt goes on.

Run it:  tawny serve --app examples.resume:app
Try it:  trigger import_catalogue '{"items": 400}'; watch

Look at `result.resumed_from`. It is 0 as long as nothing goes wrong. Then trigger it again, and meanwhile `kill -9` the
process `tawny work` that the server has started. The server starts a new one; the lease of the dead one ends after 15
seconds, and the run goes on from its last checkpoint: at most 20 items are imported twice, and none is left out.
"""

from __future__ import annotations

import asyncio

from tawny import Run, Tawny

app = Tawny()
EVERY = 20


@app.job("import_catalogue")
async def import_catalogue(run: Run, items: int = 400) -> dict[str, int]:
    """Import a catalogue, item by item."""
    resumed_from: int = run.checkpointed or 0
    for done in range(resumed_from + 1, items + 1):
        run.check_cancelled()
        await import_item(done)
        run.progress(done, items)
        if done % EVERY == 0:
            await run.checkpoint(done)  # durable when it returns
    return {"imported": items, "resumed_from": resumed_from, "attempt": run.attempt}


async def import_item(number: int) -> None:
    """Yours. Importing the same item twice must be harmless: what came after the last checkpoint is done again."""
    await asyncio.sleep(0.02)
