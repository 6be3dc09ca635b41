"""What an attempt was told about its lease holds for good."""

from __future__ import annotations

import json

import pytest

from tawny import Run, Tawny
from tawny.db.ids import uuid7
from tawny.errors import LeaseLost
from tawny.runs import Claimed
from tawny.workers.attempt import Attempt
from tawny.workers.execute import execute
from tawny.workers.lease import Lease, now


@pytest.fixture
def lease() -> Lease:
    return Lease(uuid7(), 60.0, now())


@pytest.fixture
def attempt(lease: Lease) -> Attempt:
    claimed = Claimed(uuid7(), 1, "job", None, None, json.dumps({}), None, None, None)
    return Attempt(claimed, lease, save=lambda _: None)


def test_one_that_never_looked_goes_on_after_a_late_renewal(lease: Lease, attempt: Attempt) -> None:
    lease.end()
    lease.renewed(now())
    attempt.check_lease()
    assert not attempt.lost


def test_one_that_saw_its_lease_lost_stays_lost_after_a_late_renewal(lease: Lease, attempt: Attempt) -> None:
    lease.end()
    assert attempt.lost
    lease.renewed(now())
    assert attempt.lost
    with pytest.raises(LeaseLost):
        attempt.check_lease()


async def test_a_handler_that_was_told_is_not_said_to_have_failed(lease: Lease, attempt: Attempt) -> None:
    app = Tawny()

    @app.job("job")
    async def job(run: Run) -> None:
        lease.end()
        try:
            run.progress(1)
        finally:
            lease.renewed(now())

    assert await execute(app.jobs["job"], attempt, threads=None) is None
