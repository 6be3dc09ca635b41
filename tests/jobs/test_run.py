"""A Run in a handler's hands: cancellation, checkpoints, the lease."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import Future
from typing import Any
from uuid import uuid4

import pytest
from tests.jobs.fake_port import PROJECT_ID, RUN_ID, TEAM_ID, FakePort, make_run

from tawny import LeaseLost, RunCancelled


def test_a_run_says_who_it_is() -> None:
    run = make_run(FakePort(), attempt=2, params={"month": "2026-02"}, state={"pool": 1})
    assert (run.id, run.team_id, run.project_id, run.attempt, run.job_type) == (RUN_ID, TEAM_ID, PROJECT_ID, 2, "a_job")
    assert run.params == {"month": "2026-02"}
    assert run.state == {"pool": 1}
    assert str(RUN_ID) in repr(run)


def test_params_are_read_only_and_a_copy() -> None:
    given = {"month": "2026-02"}
    run = make_run(FakePort(), params=given)
    given["month"] = "2026-03"
    with pytest.raises(TypeError):
        run.params["month"] = "2026-04"  # type: ignore[index]
    assert run.params["month"] == "2026-02"


def test_the_idempotency_key_is_the_same_in_every_attempt_and_for_no_other_run() -> None:
    first, second = make_run(FakePort(), attempt=1), make_run(FakePort(), attempt=2)
    assert first.idempotency_key == second.idempotency_key
    assert make_run(FakePort(), id=uuid4()).idempotency_key != first.idempotency_key


def test_a_cancel_is_seen_by_asking_or_by_raising() -> None:
    port = FakePort()
    run = make_run(port)
    run.check_cancelled()
    assert not run.cancelled
    port.cancel_requested = True
    assert run.cancelled
    with pytest.raises(RunCancelled):
        run.check_cancelled()


@pytest.mark.parametrize(
    "use",
    [
        lambda run: run.progress(1),
        lambda run: list(run.track("ab")),
        lambda run: run.cancelled,
        lambda run: run.check_cancelled(),
        lambda run: run.checkpoint({}),
        lambda run: run.checkpointed,
    ],
    ids=["progress", "track", "cancelled", "check_cancelled", "checkpoint", "checkpointed"],
)
def test_every_call_fails_once_the_lease_is_lost(use: Any) -> None:
    port = FakePort(lease_lost=True, cancel_requested=True)
    with pytest.raises(LeaseLost):
        use(make_run(port))
    assert port.reports == []
    assert port.checkpoints == []


def test_a_plain_handler_blocks_until_its_checkpoint_is_durable() -> None:
    waiting: list[Future[None]] = []
    port = FakePort(waiting=waiting)
    run = make_run(port)
    thread = threading.Thread(target=run.checkpoint, args=[{"next": 3}])
    thread.start()
    until(lambda: waiting)
    assert thread.is_alive()
    assert run.checkpointed is None
    waiting[0].set_result(None)
    thread.join(5)
    assert not thread.is_alive()
    assert run.checkpointed == {"next": 3}


async def test_an_async_handler_awaits_its_checkpoint() -> None:
    waiting: list[Future[None]] = []
    run = make_run(FakePort(waiting=waiting))
    saving = asyncio.ensure_future(run.checkpoint({"next": 3}))
    await asyncio.sleep(0)
    assert run.checkpointed is None
    waiting[0].set_result(None)
    await saving
    assert run.checkpointed == {"next": 3}


async def test_a_thread_of_an_async_handler_blocks() -> None:
    port = FakePort()
    run = make_run(port)
    await asyncio.to_thread(run.checkpoint, [1])
    assert run.checkpointed == [1]


def test_a_plain_handler_may_write_await_in_a_loop_of_its_own() -> None:
    port = FakePort()
    run = make_run(port)

    async def inner() -> None:
        await run.checkpoint("inside")

    asyncio.run(inner())
    assert run.checkpointed == "inside"


async def test_what_a_blocking_call_returns_can_be_awaited() -> None:
    run = make_run(FakePort())
    saved = await asyncio.to_thread(run.checkpoint, 1)
    await saved


async def test_a_checkpoint_that_is_fenced_off_raises_and_is_not_kept() -> None:
    waiting: list[Future[None]] = []
    run = make_run(FakePort(waiting=waiting), checkpoint='{"next": 1}')
    saving = asyncio.ensure_future(run.checkpoint({"next": 2}))
    await asyncio.sleep(0)
    waiting[0].set_exception(LeaseLost("another worker has it"))
    with pytest.raises(LeaseLost):
        await saving
    assert run.checkpointed == {"next": 1}


async def test_a_handler_that_is_cancelled_leaves_the_write_to_the_worker() -> None:
    waiting: list[Future[None]] = []
    run = make_run(FakePort(waiting=waiting))
    saving = asyncio.ensure_future(run.checkpoint({"next": 2}))
    await asyncio.sleep(0)
    saving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saving
    assert not waiting[0].cancelled()
    waiting[0].set_result(None)


async def test_the_state_is_taken_when_checkpoint_is_called() -> None:
    port = FakePort()
    state = {"done": [1]}
    saving = make_run(port).checkpoint(state)
    state["done"].append(2)
    await saving
    assert port.checkpoints == [{"done": [1]}]


def test_an_earlier_attempts_checkpoint_is_there_and_changing_it_changes_nothing() -> None:
    run = make_run(FakePort(), checkpoint=json.dumps({"done": [1]}))
    run.checkpointed["done"].append(2)
    assert run.checkpointed == {"done": [1]}
    assert make_run(FakePort()).checkpointed is None


@pytest.mark.parametrize("state", [object(), {"a": float("nan")}, {1, 2}, b"bytes", {"a": "x" * 1024 * 1024}])
def test_a_state_that_is_not_json_is_refused(state: Any) -> None:
    port = FakePort()
    with pytest.raises(ValueError, match="checkpoint"):
        make_run(port).checkpoint(state)
    assert port.checkpoints == []


def until(fact: Any) -> None:
    """Wait for a fact that another thread makes true."""
    tick = threading.Event()
    for _ in range(5000):
        if fact():
            return
        tick.wait(0.001)
    raise AssertionError("it did not become true within 5 seconds")
