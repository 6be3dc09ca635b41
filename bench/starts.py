"""How soon a run starts on an idle system."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from bench.client.plan import Sample, Start
from bench.figure import Figure
from bench.options import Sizes
from bench.rounds import alternate
from bench.stage import FLOOR_CHANNEL, Server, Stage
from bench.triggers import trigger_request, view_request


def measure_starts(stage: Stage, sizes: Sizes) -> list[Figure]:
    """From the trigger to the entered handler, and from `created_at` to `started_at` by the database's clock (whole ms).

    The floor notifies in its request and claims on the connection that hears it.
    """
    floor_type = "floor.entered"
    with (
        stage.worker(["noop", "entered"]),
        stage.floor_worker(floor_type, connections=1, channel=FLOOR_CHANNEL),
    ):
        seen = alternate(
            sizes.repeat,
            {
                "start tawny": partial(_start, stage, stage.api, sizes, trigger_request(stage.seeded, 0, "entered")),
                "start floor": partial(
                    _start, stage, stage.floor, sizes, trigger_request(stage.seeded, 0, floor_type, query="?wake")
                ),
            },
        )
    stage.clear()
    ours, theirs = seen["start tawny"], seen["start floor"]
    return [
        Figure("start_entered", "idle: trigger to handler entered", "p50_ms", _entered(ours), _entered(theirs)),
        Figure("start_claimed", "idle: created_at to started_at", "p50_ms", _claimed(ours), _claimed(theirs)),
    ]


def _start(stage: Stage, server: Server, sizes: Sizes, trigger: str) -> Sample:
    return stage.client(Start(server.port, sizes.starts, trigger, view_request(stage.seeded)))


def _entered(samples: Sequence[Sample]) -> list[Sample]:
    return [{name: value for name, value in sample.items() if not name.startswith("claimed_")} for sample in samples]


def _claimed(samples: Sequence[Sample]) -> list[Sample]:
    prefix = "claimed_"
    return [{name.removeprefix(prefix): v for name, v in sample.items() if name.startswith(prefix)} for sample in samples]
