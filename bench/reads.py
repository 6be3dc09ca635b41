"""Get by id and three lists, over HTTP with an agent key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from urllib.parse import quote

from bench.client.connection import connect
from bench.client.plan import Hammer, Sample
from bench.client.request import get
from bench.figure import Figure, Target
from bench.options import Options, Sizes
from bench.rounds import alternate, say
from bench.seed import Seeded
from bench.stage import Server, Stage

_TITLES = {
    "get": "get by id",
    "list": "list, first page of 50",
    "filtered": "list by project and status",
    "deep": "list, {depth:,} rows deep",
}
_CPU = Target(2.0)
_DEEP_PAGE = Target(1.5)


def measure_reads(stage: Stage, options: Options) -> list[Figure]:
    """One figure for each kind of read, and the deep page beside our own first page."""
    requests = {name: _requests(name, stage.seeded) for name in options.reads}
    for name, asked in requests.items():
        asyncio.run(require_same_answers(stage.api.port, stage.floor.port, asked))
        say(f"{name}: Tawny and the floor give the same bytes to {len(asked)} requests")
    seen = alternate(options.sizes.repeat, dict(_sides(stage, options.sizes, requests)))
    figures = [
        Figure(
            name, _TITLES[name].format(depth=options.sizes.depth), "cpu_us", seen[f"{name} tawny"], seen[f"{name} floor"], _CPU
        )
        for name in requests
    ]
    if {"list", "deep"} <= requests.keys():
        figures.append(_deep_page(seen["deep tawny"], seen["list tawny"]))
    return figures


def _deep_page(deep: Sequence[Sample], first: Sequence[Sample]) -> Figure:
    return Figure("deep_page", "deep page beside the first page", "each_us", deep, first, _DEEP_PAGE, beside_name="first_page")


def _requests(name: str, seeded: Seeded) -> list[str]:
    jobs = f"/v1/teams/{seeded.team_id}/jobs"
    paths = {
        "get": [f"/v1/jobs/{run_id}" for run_id in seeded.run_ids],
        "list": [jobs],
        "filtered": [f"{jobs}?project_id={p}&status={s}" for p, s in product(seeded.project_ids, ("failed", "completed"))],
        "deep": [f"{jobs}?cursor={quote(cursor)}" for cursor in seeded.cursors],
    }
    return [get(path, seeded.key) for path in paths[name]]


def _sides(stage: Stage, sizes: Sizes, requests: dict[str, list[str]]) -> list[tuple[str, Callable[[], Sample]]]:
    return [
        (f"{name} {side}", partial(_hammer, stage, server, sizes, asked, sizes.gets if name == "get" else sizes.lists))
        for name, asked in requests.items()
        for side, server in (("tawny", stage.api), ("floor", stage.floor))
    ]


def _hammer(stage: Stage, server: Server, sizes: Sizes, requests: list[str], count: int) -> Sample:
    return stage.client(Hammer(server.port, server.child.pid, sizes.connections, sizes.connections * 10, count, requests))


async def require_same_answers(port: int, other_port: int, requests: Sequence[str]) -> None:
    """RuntimeError unless both servers answer each request with the same bytes, but for the date."""
    ours, theirs = await connect(port), await connect(other_port)
    for request in requests:
        mine, other = await ours.ask(request.encode()), await theirs.ask(request.encode())
        if (_undated(mine.head), mine.body) != (_undated(other.head), other.body):
            raise RuntimeError(f"the floor's answer differs:\n{request}\n{mine}\n{other}")
    ours.close()
    theirs.close()


def _undated(head: bytes) -> list[bytes]:
    return sorted(line for line in head.split(b"\r\n") if not line.startswith(b"date: "))
