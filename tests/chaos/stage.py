"""One scenario from its first process to the verdict."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import monotonic

from tests.chaos import faults
from tests.chaos.checker import judge
from tests.chaos.clients import Client
from tests.chaos.evidence import Evidence
from tests.chaos.figures import Figures, figures
from tests.chaos.plan import Fault, Scenario, digest
from tests.chaos.town import Town


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
    plan = scenario.plan(seed, seconds)
    async with Town(scenario, seed, folder, source=source, pooler=pooler) as town:
        await _break(town, seed, plan, seconds)
        await town.heal()
        evidence = await town.evidence()
    return _judged(scenario, plan, monotonic() - begun, seconds, evidence)


def _judged(scenario: Scenario, plan: list[Fault], took: float, seconds: float, evidence: Evidence) -> Outcome:
    found = figures(evidence)
    gates = {name: least * _share(seconds / scenario.seconds) for name, least in scenario.gates.items()}
    return Outcome(scenario, digest(plan), round(took, 1), found, judge(evidence, gates, found))


def _share(part: float) -> float:
    """Of what a full run has to show, how much this part has to: a little less than its share, since chance evens out less."""
    return 1.0 if part >= 1 else 0.8 * part


async def _break(town: Town, seed: int, plan: list[Fault], seconds: float) -> None:
    """Let clients call while everything in the plan is done; returns once the last of both is over."""
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
        begun = monotonic()
        warm = asyncio.get_running_loop().call_later(seconds * 0.3, town.note_health)
        async with asyncio.TaskGroup() as acting:
            for fault in plan:
                await asyncio.sleep(max(0.0, begun + fault.at - monotonic()))
                acting.create_task(faults.do(town, fault))
            await asyncio.sleep(max(0.0, begun + seconds - monotonic()))
        warm.cancel()
        over.set()
        await town.heal()
        await calling
