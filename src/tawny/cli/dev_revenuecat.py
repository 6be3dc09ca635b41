"""`tawny dev-revenuecat`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from tawny.errors import StartError

if TYPE_CHECKING:
    from tawny.testing.revenuecat import FakeRevenueCat, Knobs, Rule


class OverCap(StrEnum):
    """What becomes of a limit over the cap."""

    CAP = "cap"
    REFUSE = "refuse"


class NextPage(StrEnum):
    """How the next page is named."""

    RELATIVE = "relative"
    ABSOLUTE = "absolute"
    FOREIGN = "foreign"


class RetryAfter(StrEnum):
    """What a 429 says of the wait."""

    SECONDS = "seconds"
    MS = "ms"
    MISSING = "missing"
    BODY_MISSING = "body_missing"


Customers = Annotated[int, typer.Option(min=0, help="How many customers there are.")]
Seed = Annotated[int, typer.Option(help="The same seed makes the same customers.")]
Port = Annotated[int, typer.Option(min=0, max=65_535, help="The port to listen on; 0 picks a free one.")]
Latency = Annotated[str, typer.Option(help="How long an answer takes: `50ms`, or a range such as `20ms-80ms`.")]
Faults = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KIND[:PROBABILITY][@ROUTE]",
        help="Let something go wrong, such as `reset:0.01` or `server_error:0.1@purchases`; may be given again. There is "
        "server_error, unavailable, bad_gateway, locked, rate_limited, invalid_json, truncated_json, cut, reset, hang, "
        "slow_body.",
        show_default=False,
    ),
]
PageCap = Annotated[int, typer.Option(min=1, help="The most items on a page.")]
OnOverCap = Annotated[OverCap, typer.Option(help="What becomes of a limit over the cap: that page, or 400.")]
OnNextPage = Annotated[NextPage, typer.Option(help="How the next page is named; foreign: on another host.")]
OnRetryAfter = Annotated[RetryAfter, typer.Option(help="What a 429 says of the wait.")]
NoLimits = Annotated[bool, typer.Option("--no-limits", help="Answer every request, however many there are.")]
Neighbour = Annotated[float, typer.Option(min=0, help="Requests a minute that another program makes with the same key.")]
RevokeAfter = Annotated[int | None, typer.Option(min=0, help="Revoke the key after so many requests.", show_default=False)]
ClockScale = Annotated[
    float, typer.Option(min=0.001, help="10: a minute of the rate limits is six seconds, and delays are a tenth.")
]


def dev_revenuecat(
    customers: Customers = 5000,
    seed: Seed = 1,
    port: Port = 8586,
    latency: Latency = "50ms",
    fault: Faults = None,
    page_cap: PageCap = 100,
    over_cap: OnOverCap = OverCap.CAP,
    next_page: OnNextPage = NextPage.RELATIVE,
    retry_after: OnRetryAfter = RetryAfter.SECONDS,
    no_limits: NoLimits = False,
    neighbour: Neighbour = 0.0,
    revoke_after: RevokeAfter = None,
    clock_scale: ClockScale = 1.0,
) -> None:
    """For development: be RevenueCat, with made-up customers, real rate limits and whatever shall go wrong.

    Start it, then start a server that talks to it instead of RevenueCat, and connect a project with the key that it prints:

      tawny dev-revenuecat --customers 5000 --fault server_error:0.01
      TAWNY_REVENUECAT_URL=http://127.0.0.1:8586/v2 tawny serve
    """
    from tawny.testing.revenuecat import FakeRevenueCat, Knobs, Options

    options = Options(customers=customers, seed=seed, clock_scale=clock_scale)
    knobs = Knobs(page_cap=page_cap, limits=not no_limits, neighbour=neighbour, revoke_after=revoke_after)
    knobs.over_cap, knobs.next_page, knobs.retry_after = over_cap.value, next_page.value, retry_after.value
    _read(knobs, latency, fault or [])
    _run(FakeRevenueCat(options, knobs=knobs, port=port), port)


def _read(knobs: Knobs, latency: str, faults: list[str]) -> None:
    from tawny.testing.revenuecat import Latency

    try:
        knobs.latency = Latency.parse(latency)
    except ValueError as error:
        raise typer.BadParameter(f"it {error}.", param_hint="--latency") from None
    for text in faults:
        knobs.rules.append(_rule(text))


def _rule(text: str) -> Rule:
    from tawny.testing.revenuecat import SCOPES, Fault, Rule

    what, _, route = text.partition("@")
    kind, _, probability = what.partition(":")
    if kind not in list(Fault):
        raise typer.BadParameter(f"there is no fault {kind!r}; there is {', '.join(Fault)}.", param_hint="--fault")
    if route and route not in SCOPES:
        raise typer.BadParameter(f"there is no route {route!r}; there is {', '.join(SCOPES)}.", param_hint="--fault")
    try:
        return Rule(Fault(kind), route or None, probability=float(probability or 1))  # type: ignore[arg-type]
    except ValueError:
        raise typer.BadParameter(f"{probability!r} is not a probability such as 0.1.", param_hint="--fault") from None


def _run(fake: FakeRevenueCat, port: int) -> None:
    import uvloop

    try:
        uvloop.run(_serve(fake))
    except OSError as error:
        raise StartError(f"Cannot listen on 127.0.0.1, port {port}: {error.strerror}. Choose another one with --port.") from None


async def _serve(fake: FakeRevenueCat) -> None:
    import asyncio

    from tawny.cli.signals import on_stop_signals

    stopped = asyncio.Event()
    on_stop_signals(stopped.set)
    async with fake:
        print(_introduction(fake), flush=True)
        await stopped.wait()
    print(f"Answered {fake.counters.total} requests, {fake.counters.rate_limited} of them with 429.")


def _introduction(fake: FakeRevenueCat) -> str:
    return f"""\
RevenueCat's stand-in listens on {fake.url}
It has {len(fake.people)} customers, and this key:

  {fake.key.secret}

Let Tawny talk to it, and connect a project with that key:

  TAWNY_REVENUECAT_URL={fake.url} tawny serve
  tawny integrations add revenuecat --api-key {fake.key.secret}

Ctrl-C stops it."""
