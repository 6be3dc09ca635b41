"""What a client can be asked to do, and how it is asked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

Sample = dict[str, float]
"""What was seen, by name: `per_second`, `p50_ms`, `p99_ms`, `cpu_us` and more. Each name ends with its unit."""


@dataclass(frozen=True, slots=True)
class Hammer:
    """Send `count` requests, in turn over `connections`, each connection one at a time, after `warm_up` that are not counted.

    `cpu_us` is what the process `pid` took for each.
    """

    port: int
    pid: int
    connections: int
    warm_up: int
    count: int
    requests: list[str]


@dataclass(frozen=True, slots=True)
class Complete:
    """Trigger `count` runs and wait until each is completed, with as many in flight as there are triggers (each its own project).

    `view` is what stands around a run's id in the request that looks at it.
    """

    port: int
    pid: int
    worker_pid: int
    warm_up: int
    count: int
    triggers: list[str]
    view: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Start:
    """Trigger `count` runs one by one, with pauses, and see when the handler was entered."""

    port: int
    count: int
    trigger: str
    view: tuple[str, str]


Plan = Hammer | Complete | Start
KINDS: dict[str, type[Hammer] | type[Complete] | type[Start]] = {kind.__name__: kind for kind in (Hammer, Complete, Start)}


def encode(plan: Plan) -> dict[str, Any]:
    return {"kind": type(plan).__name__, **asdict(plan)}


def decode(fields: dict[str, Any]) -> Plan:
    return KINDS[fields.pop("kind")](**fields)
