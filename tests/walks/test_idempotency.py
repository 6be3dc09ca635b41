"""Clients that lose replies send the same again: one run is made, and in the end everybody holds the same answer."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.commands import PATIENCE, Serving
from tests.walks.caller import Caller
from tests.walks.proxy import Proxy

pytestmark = pytest.mark.walk

CLIENTS = 50
LOSS = 0.6


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("idempotency")
    shutil.copy(Path(__file__).with_name("author.py"), folder)
    with Serving(folder, "--port", "0", "--app", "author:app", LEDGER=str(folder / "ledger")) as serving:
        yield serving.wait_until_up()


@pytest.fixture
def caller(serving: Serving, seed: int) -> Iterator[Caller]:
    with Caller.greeted_by(serving) as first, first.in_project(serving, f"seed-{seed}") as caller:
        yield caller


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_request_that_is_sent_until_it_is_answered_makes_one_run(
    serving: Serving, caller: Caller, seed: int, say: Callable[[str], None]
) -> None:
    asking = caller.asking("steps", key=f"walk-{seed}", count=1, seconds=0.0)

    # The run takes no time: while most are still asking, it has ended and its slot is free.
    bodies, lost = asyncio.run(through_a_bad_network(serving, seed, asking))
    (run,) = caller.runs()
    assert len(bodies) == 1
    assert run["id"].encode() in next(iter(bodies))

    assert caller.ended(run["id"])["status"] == "completed"
    again, lost_again = asyncio.run(through_a_bad_network(serving, seed + 100, asking))
    assert again == bodies
    assert [found["id"] for found in caller.runs()] == [run["id"]]
    say(f"{2 * CLIENTS} clients got the same answer, after {lost + lost_again} that were lost on the way")


async def through_a_bad_network(serving: Serving, seed: int, asking: dict[str, Any]) -> tuple[set[bytes], int]:
    """What all clients hold in the end, each once it was answered whole; and how many answers were lost."""
    port = httpx.URL(serving.address).port
    assert port
    async with Proxy(port, seed=seed, loss=LOSS) as proxy, asyncio.timeout(PATIENCE):
        bodies = await asyncio.gather(*(ask_until_answered(proxy.address, asking) for _ in range(CLIENTS)))
    assert proxy.cut > CLIENTS / 2, "the network was too good to show anything"
    return set(bodies), proxy.cut


async def ask_until_answered(address: str, asking: dict[str, Any]) -> bytes:
    async with httpx.AsyncClient(base_url=address, timeout=PATIENCE) as http:
        while True:
            try:
                answer = await http.request(**asking)
            except httpx.TransportError:
                continue
            assert answer.status_code == 201, answer.text
            return answer.content
