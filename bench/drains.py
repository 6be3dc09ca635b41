"""A worker that empties the queue, beside its own statements in a loop."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
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

    def by(worker: Callable[[], AbstractContextManager[Child]]) -> Callable[[], Sample]:
        return partial(drain, stage, _JOB_TYPE, sizes.drain, lambda stack: [stack.enter_context(worker())])

    seen = alternate(
        sizes.repeat,
        {
            "drain tawny": by(partial(stage.worker, [_JOB_TYPE])),
            "drain floor, 1 connection": by(partial(floor, connections=1)),
            "drain floor, 2 connections": by(partial(floor, connections=2)),
        },
    )
    tawny, one, two = seen.values()
    title = f"drain of {sizes.drain:,}, floor with {{}}"
    return [
        Figure("drain", title.format("1 connection"), "per_second", tawny, one, _TARGET),
        Figure("drain_two_connections", title.format("2 connections"), "per_second", tawny, two, _TARGET),
        Figure("memory_worker", "memory of the worker after the drain", "rss_mb", _memory(tawny), _memory(one)),
    ]


def drain(stage: Stage, job_type: str, runs: int, start: Callable[[ExitStack], list[Child]]) -> Sample:
    """Let the workers that `start` starts empty a queue of so many runs. Processor time and memory are those of the first one."""
    seeded = stage.seeded
    enqueue = partial(queries.enqueue, runs=runs, team_id=seeded.team_id, project_id=seeded.project_ids[0])
    stage.ask(lambda conn: enqueue(conn, job_type=job_type))
    stage.ask(queries.settle)
    with ExitStack() as stack:
        first, *_ = start(stack)
        before = cpu_seconds(first.pid)  # it has enlisted just now: what it took so far was its start
        stage.wait_until(partial(_is_drained, job_type), first, every=_LOOK)
        cpu, used = cpu_seconds(first.pid) - before, memory(first.pid)
    sample = stage.ask(lambda conn: queries.drained(conn, job_type=job_type))
    if sample["runs"] != runs:
        raise RuntimeError(f"{runs} runs were made and {sample['runs']} completed")
    stage.clear()
    return {"per_second": runs / sample["seconds"], "cpu_us": cpu / runs * 1e6, **used}


async def _is_drained(job_type: str, conn: object) -> bool:
    return not await queries.is_any_active(conn, job_type=job_type)


def _memory(samples: list[Sample]) -> list[Sample]:
    return [{name: sample[name] for name in ("rss_mb", "pss_mb")} for sample in samples]
