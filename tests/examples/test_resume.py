"""A new attempt goes on from the last checkpoint."""

from __future__ import annotations

import json

import pytest
from examples.resume import EVERY, app
from tests.examples.conftest import FloorOf
from tests.waiting import until

from tawny.testing import run


@pytest.mark.slow
async def test_the_next_worker_goes_on_where_the_last_one_saved(floor_of: FloorOf) -> None:
    floor = await floor_of(app)
    run_id = await floor.trigger("import_catalogue", items=3 * EVERY)

    async def saved() -> object:
        return (await floor.row(run_id))["checkpoint"]

    async with floor.working(drain=0.0):
        await until(saved, "a checkpoint")
    at = json.loads(str((await floor.row(run_id))["checkpoint"]))
    async with floor.working():
        row = await floor.ended(run_id)
    assert json.loads(str(row["result"])) == {"imported": 3 * EVERY, "resumed_from": at, "attempt": 2}
    assert json.loads(str(row["progress"]))["processed"] == 3 * EVERY


def test_from_a_checkpoint_only_the_rest_is_imported() -> None:
    outcome = run(app, "import_catalogue", {"items": 50}, attempt=2, checkpoint=40)
    assert outcome.result == {"imported": 50, "resumed_from": 40, "attempt": 2}
    assert [report.processed for report in outcome.progress] == list(range(41, 51))


@pytest.mark.slow
def test_nothing_is_saved_of_what_a_checkpoint_has_not_reached() -> None:
    assert run(app, "import_catalogue", {"items": 3 * EVERY}, cancel_after=EVERY + 5).checkpoint == EVERY
