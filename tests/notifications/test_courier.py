"""Couriers lose nothing: a message is due until it is known to be taken, whoever dies and whatever is away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs
from tests.notifications.conftest import Street
from tests.waiting import until

from tawny.db.pool import Connection
from tawny.notifications import Courier
from tawny.notifications.delivery import Delivery, Outcome
from tawny.notifications.statements import queries

TAKEN = Outcome(taken=True, seconds=0.01)
AWAY = Outcome(taken=False, seconds=0.01, error="ConnectionRefusedError")


class Carrier:
    """Takes messages, unless it is told otherwise; may be made to wait."""

    at_once = 3

    def __init__(self, answer: Callable[[Delivery], Outcome] = lambda _: TAKEN) -> None:
        self.carried: list[Delivery] = []
        self.gate: asyncio.Event | None = None
        self._answer = answer

    async def __call__(self, delivery: Delivery) -> Outcome:
        self.carried.append(delivery)
        if self.gate is not None:
            await self.gate.wait()
        return self._answer(delivery)

    @property
    def runs(self) -> list[UUID]:
        return [delivery.run.id for delivery in self.carried if delivery.run]


@asynccontextmanager
async def working(street: Street, carrier: Carrier, *, hold: float = 60, **more: Any) -> AsyncIterator[Courier]:
    courier = Courier(street.pool, {"mail": carrier}, hold=hold, beat=0.02, **more)
    task = asyncio.create_task(courier.run())
    try:
        yield courier
        assert not task.done()
    finally:
        await courier.finish(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def rows(street: Street, status: str, count: int = 1) -> list[dict[str, Any]]:
    """The deliveries, once so many have this status."""

    async def enough() -> list[dict[str, Any]]:
        found = [row for row in await street.deliveries() if row["status"] == status]
        return found if len(found) >= count else []

    return await until(enough, f"{count} deliveries that are {status}")


async def due_now(street: Street) -> None:
    await street.conn.execute("update deliveries set due_at = now() where status = 'pending'")


async def test_the_end_of_a_run_is_brought_to_who_asked(street: Street) -> None:
    carrier = Carrier()
    async with working(street, carrier):
        run_id = await street.ended("failed", error="no such month", progress='{"processed": 1, "total": 3}', result='{"a": 1}')
        (row,) = await rows(street, "delivered")
    (delivery,) = carrier.carried
    assert delivery.run
    assert (delivery.run.id, delivery.event, delivery.address) == (run_id, "failed", "olive@example.com")
    assert (delivery.run.error, delivery.run.progress) == ("no such month", {"processed": 1, "total": 3})
    assert (delivery.run.team, delivery.run.project, delivery.run.result) == ("Acme", "p1", {"a": 1})
    assert json.loads(delivery.run.public)["id"] == str(run_id)
    assert (row["tries"], row["unsure"], row["trying"]) == (1, 0, False)
    assert row["ended_at"]


async def test_many_are_brought_each_once_by_any_number_of_couriers(street: Street) -> None:
    carrier = Carrier()
    ended = {await street.ended() for _ in range(20)}
    async with working(street, carrier), working(street, carrier), working(street, carrier):
        await rows(street, "delivered", 20)
    assert sorted(carrier.runs) == sorted(ended)


async def test_what_was_not_taken_is_tried_again_later(street: Street) -> None:
    answers = iter([AWAY, AWAY, TAKEN])
    carrier = Carrier(lambda _: next(answers))
    with capture_logs() as logs:
        async with working(street, carrier):
            await street.ended()
            for tries in (1, 2):
                await until(lambda: ended_tries(street, tries), "the try has ended")  # noqa: B023
                (row,) = await street.deliveries()
                assert row["due_at"] > await street.conn.fetchval("select now()")
                await due_now(street)
            (row,) = await rows(street, "delivered")
    assert (row["tries"], row["unsure"]) == (3, 0)
    assert [entry.get("error") for entry in json.loads(row["log"])] == ["ConnectionRefusedError"] * 2 + [None]
    assert len({delivery.id for delivery in carrier.carried}) == 1, "it stays the same message"
    assert {entry["event"] for entry in logs} == {"a message was not taken"}


async def ended_tries(street: Street, tries: int) -> bool:
    rows = await street.deliveries()
    return [(row["tries"], row["trying"]) for row in rows] == [(tries, False)]


async def test_what_is_hopeless_is_given_up(street: Street) -> None:
    carrier = Carrier(lambda _: Outcome(taken=False, seconds=0, hopeless=True, status=550))
    with capture_logs() as logs:
        async with working(street, carrier):
            await street.ended()
            (row,) = await rows(street, "failed")
    assert row["tries"] == 1
    assert [entry["event"] for entry in logs] == ["a message was given up"]


async def test_a_message_that_cannot_be_made_costs_no_other(street: Street) -> None:
    def answer(delivery: Delivery) -> Outcome:
        if delivery.event == "failed":
            raise ZeroDivisionError
        return TAKEN

    carrier = Carrier(answer)
    with capture_logs() as logs:
        async with working(street, carrier):
            await street.ended("failed")
            await street.ended("completed")
            await rows(street, "delivered")
            await until(lambda: street.conn.fetchval("select bool_and(not trying) from deliveries"), "both tries have ended")
    assert "a message could not be made or carried" in {entry["event"] for entry in logs}
    assert {row["status"] for row in await street.deliveries()} == {"pending", "delivered"}


async def test_a_run_that_is_gone_is_no_news_any_more(street: Street) -> None:
    await street.ended()
    await street.address()
    await street.conn.execute("delete from job_runs")
    carrier = Carrier()
    async with working(street, carrier):
        await rows(street, "failed")
    assert carrier.carried == []


@pytest.mark.parametrize("known", [False, True], ids=["a notice", "a delivery"])
async def test_what_a_restored_backup_brings_back_is_no_news_after_a_week(street: Street, known: bool) -> None:
    """Also when nobody had begun to tell of it then."""
    run_id = await street.ended()
    if known:
        await street.address()
        await claim(street.conn, hold=0)
    await ended_long_ago(street, run_id)
    carrier = Carrier()
    with capture_logs() as logs:
        async with working(street, carrier, hold=0.05):
            (row,) = await rows(street, "failed")
    assert carrier.carried == []
    assert json.loads(row["log"])[-1]["error"] == "it is too old to be news"
    assert [entry["event"] for entry in logs] == ["a message was given up"]


async def ended_long_ago(street: Street, run_id: UUID) -> None:
    """A run that has ended does not change, unless the database is told to look away."""
    async with street.conn.transaction():
        await street.conn.execute("set local session_replication_role = replica")
        await street.conn.execute("update job_runs set completed_at = completed_at - interval '8 days' where id = $1", run_id)


async def test_what_a_dead_courier_had_claimed_is_delivered_and_counted_as_unsure(street: Street) -> None:
    await street.ended()
    await street.address()
    await claim(street.conn, hold=0)
    carrier = Carrier()
    async with working(street, carrier, hold=0.05):
        (row,) = await rows(street, "delivered")
    assert (row["tries"], row["unsure"]) == (2, 1)


async def claim(conn: Connection, *, hold: float, at_most: int = 10) -> list[Any]:
    rows: list[Any] = await queries.claim_deliveries(conn, channel="mail", hold=hold, busy=[], at_most=at_most)
    return rows


async def test_what_is_under_way_is_nobody_elses_while_its_courier_lives(street: Street) -> None:
    """Its hold would have been over many times."""
    carrier = Carrier()
    carrier.gate = asyncio.Event()
    await street.ended()
    async with working(street, carrier, hold=0.5):
        await until(lambda: street.conn.fetchval("select trying from deliveries"), "it is under way")
        due = await street.conn.fetchval("select due_at from deliveries")
        for _ in range(3):
            await until(lambda: street.conn.fetchval("select due_at > $1 from deliveries", due), "its hold was extended")  # noqa: B023
            due = await street.conn.fetchval("select due_at from deliveries")
            assert await claim(street.conn, hold=1) == []
        carrier.gate.set()
        (row,) = await rows(street, "delivered")
    assert (row["tries"], row["unsure"]) == (1, 0)


async def test_who_was_taken_for_dead_ends_nothing(street: Street) -> None:
    await street.ended()
    await street.address()
    (first,) = await claim(street.conn, hold=0)
    (second,) = await claim(street.conn, hold=0)
    end = {"status": "failed", "delay": 0.0, "unsure": 0, "entry": "{}", "request": None}
    assert await queries.end_try(street.conn, id=first["id"], tries=first["tries"], **end) is None
    assert await queries.end_try(street.conn, id=first["id"], tries=second["tries"], **end) == first["id"]


async def test_who_was_taken_for_dead_stops(street: Street) -> None:
    carrier = Carrier()
    carrier.gate = asyncio.Event()
    await street.ended()
    async with working(street, carrier) as courier:
        await until(lambda: street.conn.fetchval("select trying from deliveries"), "it is under way")
        await street.conn.execute("update deliveries set tries = tries + 1, due_at = now() + interval '1 h'")
        await until(lambda: nothing_under_way(courier), "the courier lets go of it")


async def nothing_under_way(courier: Courier) -> bool:
    return not courier._trips


async def test_after_the_database_was_away_the_living_are_waited_for(street: Street) -> None:
    """The server of these tests has been up for less than this hold."""
    await street.ended()
    await street.address()
    assert await claim(street.conn, hold=0)
    assert await claim(street.conn, hold=10**6) == []
    assert await claim(street.conn, hold=0)


async def test_what_is_under_way_when_a_courier_stops_gets_a_moment(street: Street) -> None:
    carrier = Carrier()
    carrier.gate = asyncio.Event()
    await street.ended()
    async with working(street, carrier) as courier:
        await until(lambda: street.conn.fetchval("select trying from deliveries"), "it is under way")
        await street.ended()
        finishing = asyncio.create_task(courier.finish(10))
        await asyncio.sleep(0)
        carrier.gate.set()
        await finishing
    assert [row["status"] for row in await street.deliveries()].count("delivered") == 1
    assert len(carrier.carried) == 1, "nothing more is claimed"


async def test_no_more_are_under_way_than_the_channel_takes(street: Street) -> None:
    carrier = Carrier()
    carrier.gate = asyncio.Event()
    for _ in range(7):
        await street.ended()
    async with working(street, carrier):
        await until(lambda: street.conn.fetchval("select count(*) = 3 from deliveries where trying"), "three are under way")
        await until(lambda: street.conn.fetchval("select count(*) = 7 from deliveries"), "all are known")
        assert len(carrier.carried) == 3
        carrier.gate.set()
        await rows(street, "delivered", 7)


@pytest.mark.parametrize("status", ["delivered", "failed"])
async def test_what_has_ended_is_forgotten_after_a_while(street: Street, status: str) -> None:
    async with working(street, Carrier(lambda _: TAKEN if status == "delivered" else Outcome(False, 0, hopeless=True))):
        await street.ended()
        await rows(street, status)
    forget = {"days": 30, "at_most": 100}
    assert await queries.forget_deliveries(street.conn, **forget) == 0
    await street.conn.execute("update deliveries set created_at = created_at - interval '31 days'")
    assert await queries.forget_deliveries(street.conn, **forget) == 1


async def test_the_log_of_a_message_keeps_its_last_twenty_tries(street: Street) -> None:
    await street.ended()
    await street.address()
    for tries in range(1, 25):
        (row,) = await claim(street.conn, hold=0)
        end = {"status": "pending", "delay": 0.0, "unsure": 0, "entry": json.dumps({"n": tries}), "request": None}
        await queries.end_try(street.conn, id=row["id"], tries=row["tries"], **end)
    (row,) = await street.deliveries()
    assert [entry["n"] for entry in json.loads(row["log"])] == list(range(5, 25))
