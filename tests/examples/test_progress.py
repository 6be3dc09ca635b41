"""`run.track` counts over a list and over a stream."""

from __future__ import annotations

import pytest
from examples.progress import app

from tawny.testing import Progress, run


def test_a_list_has_a_total() -> None:
    outcome = run(app, "send_letters", {"letters": 3})
    assert outcome.result == {"sent": 3}
    assert [(report.processed, report.total) for report in outcome.progress] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert outcome.progress[-1].message == "3 of 3 letters are on their way"


@pytest.mark.parametrize(("known", "last"), [(False, Progress(3, 0, "3 of ? entries")), (True, Progress(3, 3, "3 of 3 entries"))])
def test_a_stream_has_one_when_it_is_told(known: bool, last: Progress) -> None:
    outcome = run(app, "read_feed", {"entries": 3, "known": known})
    assert (outcome.result, outcome.progress[-1]) == ({"longest": 15}, last)


@pytest.mark.parametrize("job_type", ["send_letters", "read_feed"])
def test_a_cancel_stops_either_at_its_next_item(job_type: str) -> None:
    outcome = run(app, job_type, cancel_after=2)
    assert (outcome.status, outcome.progress[-1].processed) == ("cancelled", 2)
