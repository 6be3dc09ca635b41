"""What an app's lifespan opens, handlers find in `run.state`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tawny import Run, Tawny
from tawny.errors import DefinitionError, StartError


async def test_it_is_opened_once_before_the_first_run_and_closed_after_the_last(floor) -> None:
    happened: list[str] = []

    @asynccontextmanager
    async def lifespan(app: Tawny) -> AsyncIterator[dict]:
        happened.append(f"open {app is floor.app}")
        yield {"loop": asyncio.get_running_loop()}
        happened.append("close")

    floor.app.lifespan = lifespan

    @floor.app.job("uses")
    async def uses(run: Run) -> dict:
        happened.append("run")
        return {"same_loop": run.state["loop"] is asyncio.get_running_loop()}

    async with floor.working():
        made = [await floor.trigger("uses") for _ in range(2)]
        rows = [await floor.ended(run_id) for run_id in made]
    assert happened == ["open True", "run", "run", "close"]
    assert [json.loads(row["result"]) for row in rows] == [{"same_loop": True}] * 2


async def test_without_one_there_is_no_state(floor) -> None:
    @floor.app.job("plain")
    def plain(run: Run) -> dict:
        return {"state": run.state}

    async with floor.working():
        assert json.loads((await floor.ended(await floor.trigger("plain")))["result"]) == {"state": None}


async def test_one_that_fails_keeps_the_worker_from_starting(floor) -> None:
    @asynccontextmanager
    async def lifespan(app: Tawny) -> AsyncIterator[None]:
        raise ConnectionError("no cache")
        yield

    floor.app.lifespan = lifespan
    with pytest.raises(StartError, match="ConnectionError: no cache"):
        await floor.worker().run()


async def _generator(app: object) -> AsyncIterator[None]:
    yield


@pytest.mark.parametrize("wrong", [_generator, lambda app: iter([1]), 5], ids=["bare generator", "plain function", "no function"])
def test_a_wrong_one_is_refused_with_a_sentence(wrong: object) -> None:
    if wrong is _generator or not callable(wrong):
        with pytest.raises(DefinitionError, match="lifespan"):
            Tawny(lifespan=wrong)
    else:
        Tawny(lifespan=wrong)  # what it returns is only known when it is called


async def test_what_is_no_context_manager_is_refused_at_the_start(floor) -> None:
    floor.app.lifespan = lambda app: [1]
    with pytest.raises(StartError, match="lifespan of the app failed"):
        await floor.worker().run()
