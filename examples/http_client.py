"""A lifespan: one HTTP client for all runs of a worker, and a key that makes a repeated call harmless.

Run it:  tawny serve --app examples.http_client:app
Try it:  trigger charge '{"cents": 1250}'; watch

Look at the header `Idempotency-Key`. It is the same in every attempt of a run, so the service can see that the second
call means the first one. Needs httpx, and a service at `PAYMENTS_URL`; without one the run is tried four times and then
fails.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from tawny import JobFailed, Run, Tawny


@asynccontextmanager
async def lifespan(_: Tawny) -> AsyncIterator[httpx.AsyncClient]:
    """Opened before the worker claims its first run, and closed after its last one has ended."""
    async with httpx.AsyncClient(base_url=os.environ.get("PAYMENTS_URL", "http://127.0.0.1:9000"), timeout=10) as client:
        yield client


app = Tawny(lifespan=lifespan)


@app.job("charge", retries=3, timeout="1m")
async def charge(run: Run, cents: int) -> dict[str, object]:
    """Charge an amount at the payment service."""
    client: httpx.AsyncClient = run.state
    answer = await client.post("/charges", json={"cents": cents}, headers={"Idempotency-Key": run.idempotency_key})
    if answer.status_code == httpx.codes.PAYMENT_REQUIRED:
        raise JobFailed("The card was declined.", result={"cents": cents})  # asking again would not change that
    answer.raise_for_status()  # what else is wrong may be over in a moment: raised, and so tried again
    return {"charge": answer.json()["id"], "attempt": run.attempt}
