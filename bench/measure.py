"""All that was asked for, in the order in which one leaves the tables as the next one needs them."""

from __future__ import annotations

from bench.drains import measure_drains
from bench.figure import Figure
from bench.limits import measure_limits
from bench.options import Options
from bench.process import memory
from bench.reads import measure_reads
from bench.retention import measure_retention
from bench.stage import Stage
from bench.starts import measure_starts
from bench.triggers import measure_triggers


def measure(stage: Stage, options: Options) -> list[Figure]:
    figures: list[Figure] = []
    if options.reads:
        figures += measure_reads(stage, options)
    if "trigger" in options.only:
        figures.append(measure_triggers(stage, options.sizes))
    if "drain" in options.only:
        figures += measure_drains(stage, options.sizes)
    if "limit" in options.only:
        figures += measure_limits(stage, options.sizes)
    if "start" in options.only:
        figures += measure_starts(stage, options.sizes)
    if "retention" in options.only:
        figures += measure_retention(stage, options.sizes)
    return sorted([*figures, _memory_of_api(stage)], key=_is_of_memory)


def _is_of_memory(figure: Figure) -> bool:
    return figure.measure == "rss_mb"


def _memory_of_api(stage: Stage) -> Figure:
    ours, floor = memory(stage.api.child.pid), memory(stage.floor.child.pid)
    return Figure("memory_api", "memory of the API after all this", "rss_mb", [ours], [floor])
