"""The published loop is what its authors describe, its users are judged by the truth, and the benchmark runs to its end."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bench.revenuecat.loop import Given, User, sync
from bench.revenuecat.side import Side, judged, named
from bench.revenuecat.stage import faked

from tawny.testing.revenuecat import FakeRevenueCat, Fault, Mix

ROOT = Path(__file__).parents[1]


async def looped(fake: FakeRevenueCat) -> list[User]:
    users, _ = await sync(Given(int(fake.origin.rpartition(":")[2]), fake.key.secret, named(fake), pause=0.0))
    return users


async def side_of(fake: FakeRevenueCat) -> Side:
    return judged(fake, 1.0, await looped(fake))


# The loop


async def test_the_loop_makes_four_calls_for_each_user_and_three_before() -> None:
    async with faked(20, latency=20.0) as fake:
        side = await side_of(fake)
        calls = ("active_entitlements", "subscriptions", "purchases", "customer")
        assert fake.counters.requests == {"projects": 1, "entitlements": 1, "products": 1} | dict.fromkeys(calls, 20)
        assert (side.correct, side.lost, side.wrong) == (20, 0, 0)
        assert fake.counters.max_concurrency == 3


async def test_the_loop_loses_users_whose_first_call_fails_and_does_not_try_again() -> None:
    async with faked(20) as fake:
        fake.knobs.add(Fault.RATE_LIMITED, "active_entitlements", times=3)
        side = await side_of(fake)
        assert (side.correct, side.lost, side.wrong) == (17, 3, 0)
        assert fake.counters.requests["active_entitlements"] == 20


@pytest.mark.parametrize("route", ["subscriptions", "purchases", "customer"])
async def test_the_loop_writes_users_without_what_failed(route: Any) -> None:
    async with faked(20, mix=Mix(subscribers=1.0, buyers=1.0, anonymous=0.0, sandbox=0.0, exhibits=False)) as fake:
        fake.knobs.add(Fault.SERVER_ERROR, route)
        users = await looped(fake)
        assert [user.attributes is None for user in users] == [route == "customer"] * 20
        assert all(user.revenue_cents is not None for user in users)
        side = judged(fake, 1.0, users)
        assert side.lost == 0
        assert side.wrong > 10


async def test_the_loop_leaves_pages_out_and_counts_the_sandbox() -> None:
    async with faked(23, mix=Mix()) as fake:
        side = await side_of(fake)
        assert side.users == len(named(fake)) == 21
        assert side.lost == 0
        assert side.wrong >= 5


# The judge


async def test_who_is_written_is_held_against_the_truth() -> None:
    async with faked(3) as fake:
        first, second, third = await looped(fake)
        assert judged(fake, 1.0, [first, second, third]).correct == 3
        assert judged(fake, 1.0, [first]).lost == 2
        for change in ({"revenue_cents": 1}, {"entitlements": ["another"]}, {"attributes": {"$email": "a"}}):
            changed = judged(fake, 1.0, [first, second, replace(third, **change)])  # type: ignore[arg-type]
            assert (changed.correct, changed.lost, changed.wrong) == (2, 0, 1)


def test_rates_are_those_of_a_real_minute() -> None:
    side = Side(seconds=6.0, users=100, requests=300, busiest=0, rate_limited=0, correct=80, lost=20, wrong=0)
    assert (side.requests_per_user, side.correct_per_minute) == (3.0, 80.0)


# The whole


@pytest.mark.walk
def test_every_goal_is_measured() -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TAWNY_")}
    command = [ROOT / "scripts/bench", "revenuecat", "--quick", "--json"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-4000:]
    report = json.loads(done.stdout)
    assert report["counts"] is False
    assert [goal["name"] for goal in report["goals"]] == ["G1", *["G2"] * 6, "G3", "G3", "G4", "G4", "G4", "G6"]
    for side in ("tawny", "loop"):
        assert all(pair[side]["correct_per_minute"] > 0 for pair in report["sides"].values())
    tawny = [pair["tawny"] for pair in report["sides"].values()]
    assert all((side["correct"], side["lost"], side["wrong"]) == (side["users"], 0, 0) for side in tawny)
