"""The scenarios of the suite."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from random import Random
from typing import Final

from tests.chaos.plan import WORK, Change, Fault, Scenario, every, spread, within

LEASE: Final = 2.0


def mixed(chance: Random, seconds: float) -> list[Fault]:
    restarts = cycle(["restart_immediate", "restart_fast"])
    troubles = every(chance, "trouble", (4.0, 5.5), seconds, first=3.0, seconds=(1.5, 1.5), targets=64)
    return [
        *every(chance, "kill", (0.4, 0.75), seconds, targets=4),
        *every(chance, "kill_api", (9.0, 11.0), seconds, first=5.0),
        *every(chance, "stop", (1.1, 1.8), seconds, first=1.5, seconds=(LEASE + 1, LEASE + 2), targets=4),
        *(Fault(at, next(restarts)) for at in _steps(6.0, 6.0, seconds)),
        *(Fault(t.at, chance.choice(["reset", "close", "freeze", "freeze_api"]), t.target, t.seconds) for t in troubles),
    ]


def _steps(first: float, apart: float, until: float) -> Iterator[float]:
    at = within(first, until)
    while at < until:
        yield at
        at += apart


def lost_replies(chance: Random, seconds: float) -> list[Fault]:
    return []


def zombies(chance: Random, seconds: float) -> list[Fault]:
    frozen = (LEASE + 1.2, LEASE + 1.8)
    kinds = ["stop", "stop_in_heartbeat", "stop_in_write", "stop_in_transaction", "stop_at_commit"]
    kinds += ["freeze_in_write", "freeze_in_write", "freeze_in_heartbeat", "freeze_at_commit", "clutch"]
    rounds = max(1, round(seconds / 5))
    return list(spread(chance, kinds * rounds, _early(seconds, 3), seconds=frozen))


def _early(seconds: float, before: float) -> float:
    """Until when faults begin that want so much time to show what they do."""
    return max(seconds - before, seconds / 2)


def database_storm(chance: Random, seconds: float) -> list[Fault]:
    share = seconds / 24
    kinds = _times(share, restart_immediate=5, restart_fast=3, kill_database=1, crash_database=10, end_sessions=3)
    taken = min(3.0, seconds / 8)
    return [Fault(within(1.0, seconds), "exhaust", 0, taken), *spread(chance, kinds, seconds, first=1.5 + taken)]


def _times(share: float, **kinds: int) -> list[str]:
    return [kind for kind, times in kinds.items() for _ in range(max(1, round(times * share)))]


def bad_network(chance: Random, seconds: float) -> list[Fault]:
    """Three workers' wires freeze or trickle for longer than anybody waits; what is cut meanwhile are the others."""
    short = [*["reset"] * 4, *["close"] * 4, "slow", "cut_commit", "cut_commit"]
    long = ["freeze", "freeze_replies", "trickle", "freeze_api"]
    until = _early(seconds, 6)
    cuts = spread(chance, short, until, seconds=(1.5, 3.0))
    waits = spread(chance, long, until, first=2.0, seconds=(6.0, 6.5))
    return [
        *(replace(fault, target=chance.choice((3, 4, 5)) if fault.kind in ("reset", "close") else 3) for fault in cuts),
        *(replace(fault, target=place) for place, fault in enumerate(waits)),
    ]


def schedules(chance: Random, seconds: float) -> list[Fault]:
    """One of those that tick is killed every two seconds, and the database is away for five."""
    return [
        *every(chance, "kill", (1.9, 2.1), seconds, targets=3),
        Fault(seconds * 0.4, "restart_fast", 0, min(5.0, seconds / 4)),
    ]


def disk_full(chance: Random, seconds: float) -> list[Fault]:
    return [Fault(seconds * 0.25, "fill_disk", 0, seconds * 0.4)]


def poison(chance: Random, seconds: float) -> list[Fault]:
    return [Fault(within(2.0, seconds), "poison")]


def shutdowns(chance: Random, seconds: float) -> list[Fault]:
    kinds = _times(seconds / 12, term=12, term_twice=4, term_and_kill=4)
    return list(spread(chance, kinds, seconds, seconds=(1.0, 1.0)))


def herd(chance: Random, seconds: float) -> list[Fault]:
    return [Fault(seconds / 8, "restart_fast", 0, seconds * 5 / 8)]


def old_snapshot(chance: Random, seconds: float) -> list[Fault]:
    return [Fault(seconds / 3, "snapshot", 0, seconds * 2 / 3 - 0.5)]


def hunt(chance: Random, seconds: float) -> list[Fault]:
    """A little of everything that can bring a bug to light, on few slots."""
    frozen = (LEASE + 1.2, LEASE + 1.8)
    return [
        *every(chance, "kill", (2.0, 3.0), seconds, targets=6),
        *every(chance, "stop", (1.2, 1.8), seconds, seconds=frozen, targets=6),
        *every(chance, "freeze_in_write", (1.2, 2.0), seconds, first=0.5, seconds=(LEASE + 0.8, LEASE + 1.4), targets=6),
        *every(chance, "kill_api", (8.0, 9.0), seconds, first=4.0),
        *every(chance, "restart_immediate", (6.0, 7.0), seconds, first=6.0),
    ]


def mails(chance: Random, seconds: float) -> list[Fault]:
    return [
        *every(chance, "kill", (1.0, 1.6), seconds, targets=4),
        *every(chance, "mail_away", (2.5, 3.5), seconds, first=1.5, seconds=(0.3, 1.2)),
    ]


HUNT: Final = Scenario(
    "hunt",
    "kills, stops, frozen and lost writes, and restarts, on few slots",
    25,
    hunt,
    gates={"acked": 100},
    workers=6,
    projects=12,
    millis=(100, 300),
    job_types=(*WORK, "doze"),
    loss=0.01,
)
"""What finds the mutants."""

SCENARIOS: Final = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "C1",
            "workers, the API and the database are killed, stopped, restarted and cut off",
            60,
            mixed,
            gates={"acked": 1200, "kills": 100, "recoveries": 20, "stops": 25, "restarts": 8},
        ),
        Scenario(
            "C2",
            "2 % of all replies are lost, and everything is slow",
            18,
            lost_replies,
            gates={"acked": 150, "dropped": 80, "retried": 10},
            loss=0.02,
            latency=0.05,
        ),
        Scenario(
            "C3",
            "workers are stopped or cut off in the middle of something for longer than their lease",
            16,
            zombies,
            gates={"acked": 150, "stale_refused": 20, "stops": 8, "freezes": 8},
            workers=8,
        ),
        Scenario(
            "C4",
            "the database is restarted, crashes and runs out of connections",
            24,
            database_storm,
            gates={"acked": 150, "restarts": 17},
        ),
        Scenario(
            "C5",
            "connections are cut, freeze and trickle",
            20,
            bad_network,
            gates={"acked": 250, "cuts": 6, "freezes": 3},
        ),
        Scenario(
            "C6",
            "schedules are due each second, by workers whose clocks are wrong and who are killed, and the database is away",
            20,
            schedules,
            gates={"ticks": 300, "ticks_started": 100, "kills": 7, "restarts": 1},
            workers=3,
            clients=2,
            schedules=20,
            skews=("300", "-300", "back 3600"),
            changes=(Change("jobs/cron.py", "if len(fields) != FIELDS:", "if len(fields) not in (FIELDS, 6):"),),
        ),
        Scenario(
            "C7",
            "the disk is full for a while",
            10,
            disk_full,
            gates={"acked": 100, "refusals": 5},
            workers=2,
            embedded=True,
            disk=256,
        ),
        Scenario(
            "C8",
            "handlers kill their process, eat its memory, never end, and raise what nobody should",
            10,
            poison,
            gates={"acked": 100, "poisoned": 2},
            workers=2,
        ),
        Scenario(
            "C9",
            "workers are told to stop, twice, or are killed while they stop",
            12,
            shutdowns,
            gates={"acked": 200, "terms": 16, "released": 3},
        ),
        Scenario(
            "C10",
            "everybody comes back at once after the database was away",
            8,
            herd,
            gates={"acked": 100, "restarts": 1},
            workers=8,
            clients=50,
        ),
        Scenario(
            "C11",
            "somebody holds an old snapshot while runs come fast",
            10,
            old_snapshot,
            gates={"acked": 800},
            workers=2,
            clients=24,
            pace=0.0,
            job_types=("blink",),
        ),
        Scenario(
            "C12",
            "workers and the mail server are killed while every run is to be told of",
            15,
            mails,
            gates={"acked": 2000, "mails": 2000, "kills": 8, "mail_outages": 3},
            clients=24,
            pace=0.0,
            job_types=("blink",),
            notify=1.0,
            patient=True,
            changes=(Change("notifications/pauses.py", "_MAIL: Final = (5.0, 2.0, 1_800.0)", "_MAIL: Final = (0.5, 2.0, 2.0)"),),
        ),
    )
}
