"""What everybody else feels while a million old runs are deleted."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from time import monotonic

import asyncpg

from bench.client.plan import Hammer, Sample
from bench.client.request import get
from bench.figure import Figure, Target
from bench.options import Sizes
from bench.rounds import say
from bench.stage import Stage
from bench.statements import queries
from tawny import runs
from tawny.access import Actor
from tawny.builtin import RETENTION, jobs_beside
from tawny.config import Settings

_TARGET = Target(2.0)
_CONNECTIONS = 4  # people at work: the processors are not all taken, so that waiting for locks would show


def measure_retention(stage: Stage, sizes: Sizes) -> list[Figure]:
    """The slowest hundredth of gets and lists while retention deletes, beside before; and the size of the tables."""
    seeded = stage.seeded
    say(f"storing {sizes.old:,} old runs")
    stage.ask(partial(queries.store_old_runs, rows=sizes.old, team_id=seeded.team_id, project_id=seeded.project_ids[0]))
    stage.ask(queries.store_old_events)
    stage.ask(queries.settle)
    size_before = stage.ask(queries.size_of_runs)
    before = [_look(stage, sizes) for _ in range(sizes.repeat)]
    with stage.worker(["noop"]):
        began = monotonic()
        stage.ask(_ask_for_retention)
        during = list(_while_it_deletes(stage, sizes))
        seconds = monotonic() - began
    left = stage.ask(queries.count_old_runs)
    size_after = stage.ask(queries.size_of_runs)
    stage.ask(queries.settle)
    sizes_after = {"mb": size_after, "mb_vacuumed": stage.ask(queries.size_of_runs)}
    say(
        f"{sizes.old - left:,} old runs were deleted in {seconds:.0f} s, {left} are left; "
        f"{size_before:.0f} MB became {size_after:.0f}, and {sizes_after['mb_vacuumed']:.0f} after a vacuum"
    )
    title = f"retention of {sizes.old:,} runs"
    return [
        Figure("retention", f"gets and lists during {title}", "p99_ms", during, before, _TARGET, "before"),
        Figure("retention_size", f"runs and events after {title}", "mb", [sizes_after], [{"mb": size_before}], None, "before"),
    ]


def _while_it_deletes(stage: Stage, sizes: Sizes) -> Iterator[Sample]:
    """Look again and again while it goes on, and once at least."""
    going_on = True
    while going_on:
        sample = _look(stage, sizes)
        yield sample
        going_on = stage.ask(partial(queries.is_any_active, job_type=RETENTION))
        say(f"  p99 {sample['p99_ms']:.1f} ms, {stage.ask(queries.count_old_runs):,} old runs to go")


async def _ask_for_retention(conn: asyncpg.Connection) -> None:
    await runs.trigger_system(conn, Actor.host(), jobs_beside({}, Settings())[RETENTION])


def _look(stage: Stage, sizes: Sizes) -> Sample:
    jobs = f"/v1/teams/{stage.seeded.team_id}/jobs"
    paths = [path for run_id in stage.seeded.run_ids[:200] for path in (f"/v1/jobs/{run_id}", jobs)]
    requests = [get(path, stage.seeded.key) for path in paths]
    count = sizes.lists // 3
    return stage.client(Hammer(stage.api.port, stage.api.child.pid, _CONNECTIONS, _CONNECTIONS, count, requests))
