"""Retries: what raised is tried again later; `JobFailed` is an answer, and final.

Run it:  tawny serve --app examples.retries:app
Try it:  trigger fetch_rates '{"currency": "EUR"}'; watch
And:     trigger fetch_rates '{"currency": "gold"}'; watch

Look at the first run: it is `pending` again after each attempt that raised, 1 to 2 seconds and then 2 to 4, and
completes with the third one. The second run fails at once, because no other attempt would find such a currency.
"""

from __future__ import annotations

from tawny import JobFailed, Run, Tawny

app = Tawny()
RATES = {"EUR": 1.0, "CHF": 0.93}


@app.job("fetch_rates", retries=3, timeout="30s")
async def fetch_rates(run: Run, currency: str) -> dict[str, object]:
    """Fetch the rate of a currency from a service that is away at first."""
    if currency not in RATES:
        raise JobFailed(f"There is no rate for {currency}.")
    rate = await ask_the_service(currency, away=run.attempt < 3)
    return {"currency": currency, "rate": rate, "attempt": run.attempt}


async def ask_the_service(currency: str, *, away: bool) -> float:
    if away:
        raise ConnectionError("the rates service is away")
    return RATES[currency]
