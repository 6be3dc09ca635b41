"""All parts, one after the other."""

from __future__ import annotations

from dataclasses import dataclass

from bench.process import cpu_seconds, peak_mb
from bench.revenuecat.options import LATENCIES, Sizes
from bench.revenuecat.side import Side
from bench.revenuecat.stage import Stage, faked
from bench.rounds import say
from tawny.testing.revenuecat import Mix

_USUAL = 50.0
_NEIGHBOUR = 240
_DUE = 0.05


@dataclass(frozen=True, slots=True)
class Pair:
    """Tawny and the published loop on the same customers."""

    tawny: Side
    loop: Side

    @property
    def ratio(self) -> float:
        """How many times as many users are correct in a minute."""
        return self.tawny.correct_per_minute / self.loop.correct_per_minute if self.loop.correct else float("inf")


@dataclass(frozen=True, slots=True)
class Again:
    """A sync, and another one when a share of the customers were seen since."""

    due: float
    full: Side
    second: Side


@dataclass(frozen=True, slots=True)
class Size:
    """A sync as fast as it goes: how fast, what it took of a processor, and the most memory that the worker has had."""

    users: int
    users_per_second: float
    cpu_ms: float
    """For each user."""
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything."""

    latencies: dict[float, Pair]
    kinds: Pair
    again: Again
    neighbour: Side
    small: Size
    large: Size


async def measure(stage: Stage, sizes: Sizes) -> Measured:
    return Measured(
        latencies={latency: await _pair(stage, sizes.users, latency) for latency in LATENCIES},
        kinds=await _kinds(stage, sizes.kinds),
        again=await _again(stage, sizes.again),
        neighbour=await _beside_a_neighbour(stage, sizes.users),
        small=await _as_fast_as_it_goes(stage, sizes.small),
        large=await _as_fast_as_it_goes(stage, sizes.large),
    )


async def _pair(stage: Stage, users: int, latency: float) -> Pair:
    async with faked(users, latency) as fake:
        loop = await stage.loop(fake)
    async with faked(users, latency) as fake, stage.worker(fake) as worker:
        tawny = await worker.judged(await worker.sync())
    _say(f"{latency:g} ms", tawny, loop)
    return Pair(tawny, loop)


async def _kinds(stage: Stage, users: int) -> Pair:
    """Customers of every kind, without limits: what is wrong then is wrong for another reason."""
    async with faked(users, mix=Mix(), limits=False) as fake:
        loop = await stage.loop(fake)
        async with stage.worker(fake) as worker:
            tawny = await worker.judged(await worker.sync())
    _say("of every kind", tawny, loop)
    return Pair(tawny, loop)


async def _again(stage: Stage, users: int) -> Again:
    async with faked(users, _USUAL) as fake, stage.worker(fake) as worker:
        full = await worker.judged(await worker.sync())
        due = fake.touch_share(_DUE, seed=2) / users
        second = await worker.judged(await worker.sync())
    _say(f"again, {due:.1%} due", second)
    return Again(due, full, second)


async def _beside_a_neighbour(stage: Stage, users: int) -> Side:
    async with faked(users, _USUAL) as fake, stage.worker(fake) as worker:
        fake.knobs.neighbour = _NEIGHBOUR
        side = await worker.judged(await worker.sync())
    _say("beside a neighbour", side)
    return side


async def _as_fast_as_it_goes(stage: Stage, users: int) -> Size:
    async with faked(users, limits=False) as fake, stage.worker(fake, rate=0) as worker:
        pid = worker.child.pid
        before = cpu_seconds(pid)
        ended = await worker.sync()
        cpu_ms = (cpu_seconds(pid) - before) / users * 1000
        size = Size(users, ended.result["synced"] / ended.seconds, cpu_ms, peak_mb(pid))
    say(f"{users:,} users without limits  {size.users_per_second:,.0f} users/s  {cpu_ms:.1f} ms CPU  {size.peak_mb:.1f} MB")
    return size


def _say(title: str, *sides: Side) -> None:
    for name, side in zip(("tawny", "loop"), sides, strict=False):
        say(
            f"{title:20} {name:6} {side.seconds:6.1f} s  {side.requests_per_user:.2f} requests a user  "
            f"{side.correct_per_minute:,.0f} correct a minute  busiest {side.busiest}  {side.lost} lost  {side.wrong} wrong"
        )
