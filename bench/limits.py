"""What it costs that a job type limits how many of its runs run at once."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

from bench.client.plan import Sample
from bench.drains import drain
from bench.figure import Figure, Target
from bench.options import Sizes
from bench.process import Child
from bench.rounds import alternate
from bench.stage import Stage

_TARGET = Target(0.85, at_least=True)
_WORKERS = 3


def measure_limits(stage: Stage, sizes: Sizes) -> list[Figure]:
    """The drain of one worker with a limit that never binds, and of three workers that share a limit of three.

    Beside the first: the same without a limit. Beside the second: three workers that run one at a time, which is as many at once.
    """
    seen = alternate(
        sizes.repeat,
        {
            "unlimited": partial(_one, stage, sizes, "noop"),
            "roomy": partial(_one, stage, sizes, "roomy"),
            "three of one": partial(_three, stage, sizes, "noop", concurrency=1),
            "limit of three": partial(_three, stage, sizes, "three", concurrency=100),
        },
    )
    title = "drain with a limit {}"
    return [
        Figure(
            "limit_roomy", title.format("that never binds"), "per_second", seen["roomy"], seen["unlimited"], _TARGET, "unlimited"
        ),
        Figure(
            "limit_of_three",
            title.format("of 3 over 3 workers"),
            "per_second",
            seen["limit of three"],
            seen["three of one"],
            _TARGET,
            "three_at_once",
        ),
    ]


def _one(stage: Stage, sizes: Sizes, job_type: str) -> Sample:
    return drain(stage, job_type, sizes.drain, lambda stack: [stack.enter_context(stage.worker([job_type]))])


def _three(stage: Stage, sizes: Sizes, job_type: str, *, concurrency: int) -> Sample:
    def workers(stack: ExitStack) -> list[Child]:
        return [stack.enter_context(stage.worker([job_type], concurrency=concurrency)) for _ in range(_WORKERS)]

    return drain(stage, job_type, sizes.limited, workers)
