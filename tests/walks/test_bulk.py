"""A worker, as a person starts it, executes bulk actions besides the runs of the app: also one that has its job types chosen."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.commands import Serving
from tests.walks.caller import Caller

pytestmark = pytest.mark.walk

APP = """
from tawny import Run, Tawny

app = Tawny()

@app.job("moody")
async def moody(run: Run) -> dict:
    raise ValueError("not today")

@app.job("waiting")
async def waiting(run: Run) -> dict:
    return {}
"""


def test_a_worker_retries_and_cancels_in_bulk(tmp_path: Path) -> None:
    (tmp_path / "moods.py").write_text(APP)
    options = ("--app", "moods:app")
    with (
        Serving(tmp_path, "--port", "0", "--no-worker", *options) as serving,
        Serving(tmp_path, "--types", "moody", *options, command="work"),
        Caller.greeted_by(serving.wait_until_up(worker=False)) as caller,
    ):
        failed, pending = caller.trigger("moody"), caller.trigger("waiting")
        assert caller.ended(failed)["status"] == "failed"
        retried = caller.ended(caller.bulk("retry"))
        assert retried["result"] == {"processed": 1, "retried": 1, "skipped": {}}, retried
        assert [run["job_type"] for run in caller.runs()] == ["moody", "waiting", "moody"]
        cancelled = caller.ended(caller.bulk("cancel", job_type="waiting"))
        assert cancelled["result"] == {"processed": 1, "cancelled": 1, "asked_to_stop": 0, "skipped": {}}, cancelled
        assert caller.run(pending)["status"] == "cancelled"
