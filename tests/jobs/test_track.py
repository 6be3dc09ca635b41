"""`run.track` hands out items, reports after each, and stops in place of the next one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import pytest
from tests.jobs.fake_port import FakePort, make_run

from tawny import LeaseLost, RunCancelled


def processed(port: FakePort) -> list[object]:
    return [report["processed"] for report in port.reports]


async def stream(items: Iterable[str]) -> AsyncIterator[str]:
    for item in items:
        await asyncio.sleep(0)
        yield item


def test_each_item_is_handed_out_and_reported_once_it_is_done() -> None:
    port = FakePort()
    seen = [(item, len(port.reports)) for item in make_run(port).track(["a", "b"], message="{processed} of {total}")]
    assert seen == [("a", 1), ("b", 2)]
    assert port.reports == [
        {"processed": 0, "total": 2, "message": "0 of 2"},
        {"processed": 1, "total": 2, "message": "1 of 2"},
        {"processed": 2, "total": 2, "message": "2 of 2"},
    ]


async def test_a_plain_loop_works_in_an_async_handler() -> None:
    port = FakePort()
    for _ in make_run(port).track(range(3)):
        await asyncio.sleep(0)
    assert processed(port) == [0, 1, 2, 3]


async def test_async_items_are_tracked_by_an_async_loop() -> None:
    port = FakePort()
    assert [item async for item in make_run(port).track(stream("ab"), total=2)] == ["a", "b"]
    assert port.reports[-1] == {"processed": 2, "total": 2}


def test_without_a_length_the_total_is_not_known() -> None:
    port = FakePort()
    list(make_run(port).track(iter("ab")))
    assert port.reports[-1] == {"processed": 2, "total": 0}


def test_a_given_total_wins_over_the_length() -> None:
    port = FakePort()
    list(make_run(port).track("ab", total=10))
    assert port.reports[-1] == {"processed": 2, "total": 10}


def test_no_items_are_reported_too() -> None:
    port = FakePort()
    assert list(make_run(port).track([])) == []
    assert port.reports == [{"processed": 0, "total": 0}]


def test_a_loop_left_early_leaves_the_items_it_finished() -> None:
    port = FakePort()
    for item in make_run(port).track("abc"):
        if item == "c":
            break
    assert port.reports[-1] == {"processed": 2, "total": 3}


def test_a_cancel_stops_in_place_of_the_next_item() -> None:
    port = FakePort()
    seen = []

    def work() -> None:
        for item in make_run(port).track("abc"):
            seen.append(item)
            port.cancel_requested = item == "b"

    with pytest.raises(RunCancelled):
        work()
    assert seen == ["a", "b"]
    assert port.reports[-1] == {"processed": 2, "total": 3}


async def test_a_cancel_stops_an_async_loop_in_place_of_the_next_item() -> None:
    port = FakePort()
    seen = []

    async def work() -> None:
        async for item in make_run(port).track(stream("abc")):
            seen.append(item)
            port.cancel_requested = item == "b"

    with pytest.raises(RunCancelled):
        await work()
    assert seen == ["a", "b"]


def test_a_cancel_after_the_last_item_lets_the_handler_return() -> None:
    port = FakePort()
    for item in make_run(port).track("ab"):
        port.cancel_requested = item == "b"
    assert port.reports[-1] == {"processed": 2, "total": 2}


def test_a_lease_lost_while_the_source_was_asked_hands_nothing_out() -> None:
    port = FakePort()
    seen: list[str] = []

    def source() -> Iterator[str]:
        yield "a"
        port.lease_lost = True
        yield "b"

    with pytest.raises(LeaseLost):
        seen.extend(make_run(port).track(source()))
    assert seen == ["a"]


def test_a_lease_lost_during_an_item_does_not_report_it() -> None:
    port = FakePort()

    def work() -> None:
        for _ in make_run(port).track("ab"):
            port.lease_lost = True

    with pytest.raises(LeaseLost):
        work()
    assert processed(port) == [0]


def test_what_goes_wrong_in_the_source_comes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        list(make_run(FakePort()).track(1 // n for n in (1, 0)))


def test_a_wrong_message_is_refused_before_anything_is_handed_out() -> None:
    with pytest.raises(ValueError, match="nothing else"):
        make_run(FakePort()).track("ab", message="{item}")


def test_what_is_no_iterable_is_refused() -> None:
    nothing: Any = 5
    with pytest.raises(TypeError, match="not iterable"):
        list(make_run(FakePort()).track(nothing))
