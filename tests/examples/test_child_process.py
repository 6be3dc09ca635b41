"""What the job type says of itself and computes; tests/walks/test_examples.py looks at its process, and kills it."""

from __future__ import annotations

from examples.child_process import app

from tawny.testing import run


def test_it_crunches() -> None:
    outcome = run(app, "crunch", {"rounds": 3})
    assert outcome.status == "completed"
    assert outcome.result is not None
    assert outcome.result["value"] == 48_271**3 % 2_147_483_647
    assert outcome.progress[0].message == "Crunching"


def test_it_asks_for_a_process_of_its_own() -> None:
    job = app.jobs["crunch"]
    assert (job.isolate, job.timeout, job.cancel_grace) == ("process", 600, 2)
