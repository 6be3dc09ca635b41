"""The job of the guide "Write an integration" does what is said there, with a warehouse over real HTTP."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.waiting import until
from tests.workers.conftest import Floor

from tawny import Tawny, integrations, runs
from tawny.db.pool import Connection
from tawny.integrations import Manners

GUIDE = Path(__file__).parents[2] / "docs/guides/write-an-integration.md"
ITEMS = [f"item-{number}" for number in range(90)]
ADDRESS = "https://warehouse.example.com/v1"

Answer = tuple[int, object]


class Warehouse:
    """Has seven of everything, and answers while it is `open`. `answers` takes an item and how often it was asked for."""

    def __init__(self) -> None:
        self.address = ""
        self.asked: Counter[str] = Counter()
        self.answers: Callable[[str, int], Answer] = lambda item, times: (200, {"count": 7})
        self.open = asyncio.Event()
        self.open.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                assert b"authorization: bearer the key of the warehouse" in head.lower()
                item = head.split()[1].decode().removeprefix("/v1/items/")
                self.asked[item] += 1
                await self.open.wait()
                status, body = self.answers(item, self.asked[item])
                text = json.dumps(body).encode()
                writer.write(b"HTTP/1.1 %d -\r\ncontent-length: %d\r\n\r\n%s" % (status, len(text), text))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def was_asked(self, at_least: int) -> None:
        async def fact() -> bool:
            return self.asked.total() >= at_least

        await until(fact, f"{at_least} calls")


@pytest.fixture
async def warehouse() -> AsyncIterator[Warehouse]:
    warehouse = Warehouse()
    server = await asyncio.start_server(warehouse.serve, "127.0.0.1", 0)
    warehouse.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    yield warehouse
    server.close()


@pytest.fixture
async def floor(
    conn: Connection, database_url: str, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Floor]:
    """With the job of the guide, whose warehouse is this one, and which is in haste."""
    (code,) = re.findall(r"^```python stock\.py\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert ADDRESS in code
    given: dict[str, Any] = {}
    exec(code.replace(ADDRESS, warehouse.address).replace("per_minute=120", "per_minute=0"), given)
    assert isinstance(given["app"], Tawny)
    monkeypatch.setitem(given, "Service", lambda **of: integrations.Service(**of, manners=Manners(backoff=0.01, busy=0.01)))
    floor = Floor(conn, database_url)
    floor.app = given["app"]
    await conn.execute("insert into teams (id, name, slug) values ($1, 'T', $2)", floor.team_id, floor.team_id.hex)
    await conn.execute("create table if not exists stock (item text primary key, number integer not null)")
    yield floor
    await conn.execute("drop table stock")


async def stored(floor: Floor) -> list[str]:
    return [row["item"] for row in await floor.conn.fetch("select item from stock where number = 7 order by item")]


async def test_it_reads_everything(floor: Floor, warehouse: Warehouse) -> None:
    async with floor.working():
        row = await floor.ended(await floor.trigger("stock_sync", items=ITEMS))
    assert (row["status"], json.loads(str(row["result"]))) == ("completed", {"read": 90, "errors": 0})
    assert json.loads(str(row["progress"])) == {"processed": 90, "total": 90, "message": "Read 90 items, 0 errors"}
    assert await stored(floor) == sorted(ITEMS)
    assert set(warehouse.asked.values()) == {1}


async def test_what_fails_is_asked_again_and_then_counted(floor: Floor, warehouse: Warehouse) -> None:
    def answers(item: str, times: int) -> Answer:
        if item == "item-3" and times == 1:
            return 429, {"backoff_ms": 10}
        failing = item == "item-5" or (item == "item-4" and times < 4)
        return (503, {}) if failing else (200, {"count": 7})

    warehouse.answers = answers
    async with floor.working():
        row = await floor.ended(await floor.trigger("stock_sync", items=ITEMS))
    assert (row["status"], json.loads(str(row["result"]))) == ("completed", {"read": 89, "errors": 1})
    assert await stored(floor) == sorted({*ITEMS} - {"item-5"})
    assert [warehouse.asked[f"item-{number}"] for number in (3, 4, 5)] == [2, 4, 4]
    logged = await floor.conn.fetchval("select r::text from run_logs as r where r::text like '%could not be read%'")
    assert "item-5" in logged


async def test_a_key_that_is_refused_fails_the_run_and_leaves_what_was_read(floor: Floor, warehouse: Warehouse) -> None:
    warehouse.answers = lambda item, _: (401, {}) if item == "item-60" else (200, {"count": 7})
    async with floor.working():
        row = await floor.ended(await floor.trigger("stock_sync", items=ITEMS))
    assert (row["status"], row["error"]) == ("failed", "The warehouse does not accept the API key.")
    assert 20 <= json.loads(str(row["result"]))["read"] == len(await stored(floor)) <= 60


async def test_the_next_worker_asks_for_forty_again_at_most(floor: Floor, warehouse: Warehouse) -> None:
    def answers(item: str, times: int) -> Answer:
        if item == "item-55" and times == 1:
            warehouse.open.clear()
        return 200, {"count": 7}

    warehouse.answers = answers
    run_id = await floor.trigger("stock_sync", items=ITEMS)
    async with floor.working():
        await warehouse.was_asked(56)
        await until(partial(stored, floor), "what was read first")
    assert 20 <= len(before := await stored(floor)) < 60
    warehouse.open.set()
    async with floor.working():
        row = await floor.ended(run_id)
    assert (row["status"], json.loads(str(row["result"]))) == ("completed", {"read": 90, "errors": 0})
    assert await stored(floor) == sorted(ITEMS)
    assert all(warehouse.asked[item] == 1 for item in before)
    assert warehouse.asked.total() - len(ITEMS) <= 40


async def test_a_cancel_stops_it_in_the_middle_of_a_wait(floor: Floor, warehouse: Warehouse) -> None:
    warehouse.open.clear()
    async with floor.working():
        run_id = await floor.trigger("stock_sync", items=ITEMS)
        await warehouse.was_asked(4)
        await runs.cancel(floor.conn, floor.actor, run_id)
        await floor.wake()
        row = await floor.ended(run_id)
    assert (row["status"], json.loads(str(row["result"]))) == ("cancelled", {"read": 0, "errors": 0})
