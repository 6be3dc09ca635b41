"""One scenario from its first process to the verdict."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from random import Random
from time import monotonic

from tests.chaos import faults
from tests.chaos.checker import judge
from tests.chaos.clients import Client
from tests.chaos.figures import Figures, figures
from tests.chaos.plan import Fault, Scenario, digest
from tests.chaos.town import Town

_ROUNDS = 12
"""How often a patient scenario breaks the same, at most. What falls short then is found by I13."""


@dataclass
class Outcome:
    """What became of one scenario."""

    scenario: Scenario
    plan: str
    seconds: float
    figures: Figures
    broken: dict[str, list[str]]
    """The invariants that did not hold, each with what broke it."""


async def perform(
    scenario: Scenario, seed: int, seconds: float, folder: Path, *, source: Path | None = None, pooler: bool = False
) -> Outcome:
    """Run it on Tawny as it is, or on the copy of its package below `source`; with PgBouncer before the database if wanted."""
    begun = monotonic()
    plan, gates = scenario.plan(seed, seconds), _gates(scenario, seconds)
    async with Town(scenario, seed, folder, source=source, pooler=pooler) as town:
        await _break(town, seed, plan, seconds, gates["acked"] if scenario.patient else 0)
        await town.heal()
        evidence = await town.evidence()
    found = figures(evidence)
    return Outcome(scenario, digest(plan), round(monotonic() - begun, 1), found, judge(evidence, gates, found))


def _gates(scenario: Scenario, seconds: float) -> dict[str, float]:
    return {name: least * _share(seconds / scenario.seconds) for name, least in scenario.gates.items()}


def _share(part: float) -> float:
    """Of what a full run has to show, how much this part has to: a little less than its share, since chance evens out less."""
    return 1.0 if part >= 1 else 0.8 * part


async def _break(town: Town, seed: int, plan: list[Fault], seconds: float, acked: float) -> None:
    """Let clients call while all that is planned is done, again until so much was acknowledged; returns once all is over."""
    over = asyncio.Event()
    scenario = town.scenario
    async with AsyncExitStack() as opened:
        town.http = await opened.enter_async_context(town.bell.http())
        clients = [
            Client(town.bell, town.http, f"{number}", Random(f"{seed}-{scenario.name}-{number}"), scenario)
            for number in range(scenario.clients)
        ]
        calling = asyncio.gather(*(client.call_until(over) for client in clients))
        town.bad_network()
        warm = asyncio.get_running_loop().call_later(seconds * 0.3, town.note_health)
        for _ in range(_ROUNDS):
            await _act(town, plan, seconds)
            if town.bell.statuses[HTTPStatus.CREATED] >= acked:
                break
        warm.cancel()
        over.set()
        await town.heal()
        await calling


async def _act(town: Town, plan: list[Fault], seconds: float) -> None:
    begun = monotonic()
    async with asyncio.TaskGroup() as acting:
        for fault in plan:
            await asyncio.sleep(max(0.0, begun + fault.at - monotonic()))
            acting.create_task(faults.do(town, fault))
        await asyncio.sleep(max(0.0, begun + seconds - monotonic()))
