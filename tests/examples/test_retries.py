"""What raised is tried again; an answer is final."""

from __future__ import annotations

import json

from examples.retries import app
from tests.examples.conftest import FloorOf

from tawny.testing import run


async def test_the_third_attempt_succeeds(floor_of: FloorOf) -> None:
    floor = await floor_of(app)
    async with floor.working():
        run_id = await floor.trigger("fetch_rates", currency="EUR")
        while not (row := await floor.row(run_id))["outcome"]:
            await floor.make_due(run_id)
    assert json.loads(str(row["result"])) == {"currency": "EUR", "rate": 1.0, "attempt": 3}
    assert (await floor.facts(run_id)).count("retrying") == 2


def test_the_first_two_delays_are_those_that_it_tells() -> None:
    first, second = (run(app, "fetch_rates", {"currency": "EUR"}, attempt=n, failures=n - 1) for n in (1, 2))
    assert (first.status, first.error) == ("retrying", "ConnectionError: the rates service is away")
    assert first.delay is not None
    assert second.delay is not None
    assert 1 <= first.delay <= 2 <= second.delay <= 4


def test_a_currency_that_does_not_exist_fails_at_once() -> None:
    outcome = run(app, "fetch_rates", {"currency": "gold"})
    assert (outcome.status, outcome.error) == ("failed", "There is no rate for gold.")
