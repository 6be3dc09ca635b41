"""Outcomes as people and programs read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.chaos.figures import merged
from tests.chaos.stage import Outcome

_SHOWN = 5


def line_of(seed: int, outcomes: list[Outcome]) -> dict[str, Any]:
    """Everything as one object: all scenarios together, and each by itself."""
    return {
        "seed": seed,
        "passed": not any(outcome.broken for outcome in outcomes),
        "seconds": round(sum(outcome.seconds for outcome in outcomes), 1),
        **merged([outcome.figures for outcome in outcomes]),
        "scenarios": {
            outcome.scenario.name: {
                "plan": outcome.plan,
                "seconds": outcome.seconds,
                "broken": {name: found[:_SHOWN] for name, found in outcome.broken.items()},
                **outcome.figures,
            }
            for outcome in outcomes
        },
    }


_COUNTS = (
    *("acked", "conflicts", "kills", "stops", "restarts", "cuts", "freezes", "dropped", "terms"),
    *("refusals", "recoveries", "stale_refused"),
    *("ticks", "ticks_started", "ticks_missed"),
    *("mails", "mails_again", "mails_unsure", "mails_lost", "mail_outages"),
)
_TIMES = ("trigger", "recover_up", "resume", "detect", "tick_late")


def say_outcome(outcome: Outcome, say: Callable[[str], None]) -> None:
    """For people: what happened, how long what took, and each broken invariant with a few examples."""
    figures = outcome.figures
    say("  " + ", ".join(f"{name} {figures[name]}" for name in _COUNTS if figures[name]))
    say("  " + ", ".join(f"{name} {_spread(figures[name])}" for name in _TIMES if figures[name]["n"]))
    for invariant, found in outcome.broken.items():
        say(f"  BROKEN {invariant}: {len(found)} x, such as")
        for text in found[:_SHOWN]:
            say(f"    {text}")
    if not outcome.broken:
        say(f"  kept, in {outcome.seconds:.0f} s")


def _spread(figure: dict[str, float]) -> str:
    return f"p50 {figure['p50']:g} p99 {figure['p99']:g} max {figure['max']:g} s (of {figure['n']})"
