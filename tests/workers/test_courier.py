"""The thread in which a worker delivers begins and ends with it, whatever the database does."""

from __future__ import annotations

import asyncio

import pytest
from tests.notifications.conftest import Street, street
from tests.notifications.test_courier import Carrier
from tests.waiting import until

from tawny.db.pool import Pool
from tawny.notifications import Courier
from tawny.workers.courier import CourierThread

assert street  # the fixture


def thread(url: str, carrier: Carrier) -> CourierThread:
    def hire(pool: Pool) -> Courier:
        return Courier(pool, {"mail": carrier}, hold=60, beat=0.02)

    return CourierThread(url, hire)


@pytest.fixture
def carrier() -> Carrier:
    return Carrier()


async def test_it_delivers_from_start_to_stop(street: Street, carrier: Carrier, database_url: str) -> None:
    courier = thread(database_url, carrier)
    courier.start()
    await street.ended()
    await until(lambda: street.conn.fetchval("select count(*) from deliveries where status = 'delivered'"), "it is delivered")
    await asyncio.to_thread(courier.stop)
    courier.stop()
    await street.ended()
    assert len(carrier.carried) == 1


async def test_it_stops_although_it_never_reached_a_database(carrier: Carrier) -> None:
    courier = thread("postgresql://nobody@127.0.0.1:1/nothing", carrier)
    courier.start()
    await asyncio.to_thread(courier.stop)
    assert not courier._thread.is_alive()


def test_one_that_was_never_started_stops(carrier: Carrier) -> None:
    thread("postgresql://nobody@127.0.0.1:1/nothing", carrier).stop()
