"""A worker that empties the queue, beside its own statements in a loop."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

from bench.client.plan import Sample
from bench.figure import Figure, Target
from bench.options import Sizes
from bench.process import Child, cpu_seconds, memory
from bench.rounds import alternate
from bench.stage import Stage
from bench.statements import queries

_TARGET = Target(0.5, at_least=True)
_JOB_TYPE = "noop"
_LOOK = 0.1


def measure_drains(stage: Stage, sizes: Sizes) -> list[Figure]:
    """Runs per second from the first `started_at` to the last `completed_at`, as the rows themselves say."""
    floor = partial(stage.floor_worker, _JOB_TYPE)
    seen = alternate(
        sizes.repeat,
        {
            "drain tawny": partial(_drain, stage, sizes, partial(stage.worker, [_JOB_TYPE])),
            "drain floor, 1 connection": partial(_drain, stage, sizes, partial(floor, connections=1)),
            "drain floor, 2 connections": partial(_drain, stage, sizes, partial(floor, connections=2)),
        },
    )
    tawny, one, two = seen.values()
    title = f"drain of {sizes.drain:,}, floor with {{}}"
    return [
        Figure("drain", title.format("1 connection"), "per_second", tawny, one, _TARGET),
        Figure("drain_two_connections", title.format("2 connections"), "per_second", tawny, two, _TARGET),
        Figure("memory_worker", "memory of the worker after the drain", "rss_mb", _memory(tawny), _memory(one)),
    ]


def _drain(stage: Stage, sizes: Sizes, worker: Callable[[], AbstractContextManager[Child]]) -> Sample:
    seeded = stage.seeded
    enqueue = partial(queries.enqueue, runs=sizes.drain, team_id=seeded.team_id, project_id=seeded.project_ids[0])
    stage.ask(lambda conn: enqueue(conn, job_type=_JOB_TYPE))
    stage.ask(queries.settle)
    with worker() as child:
        before = cpu_seconds(child.pid)  # it has enlisted just now: what it took so far was its start
        stage.wait_until(_is_drained, child, every=_LOOK)
        cpu, used = cpu_seconds(child.pid) - before, memory(child.pid)
    sample = stage.ask(lambda conn: queries.drained(conn, job_type=_JOB_TYPE))
    if sample["runs"] != sizes.drain:
        raise RuntimeError(f"{sizes.drain} runs were made and {sample['runs']} completed")
    stage.clear()
    return {"per_second": sizes.drain / sample["seconds"], "cpu_us": cpu / sizes.drain * 1e6, **used}


async def _is_drained(conn: object) -> bool:
    return not await queries.is_any_active(conn, job_type=_JOB_TYPE)


def _memory(samples: list[Sample]) -> list[Sample]:
    return [{name: sample[name] for name in ("rss_mb", "pss_mb")} for sample in samples]
