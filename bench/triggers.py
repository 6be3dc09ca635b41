"""Trigger to completed over HTTP, beside bare triggers of the floor."""

from __future__ import annotations

from functools import partial

from bench.client.plan import Complete, Hammer, Sample
from bench.client.request import get, post
from bench.figure import Figure, Target
from bench.options import Sizes
from bench.process import Child
from bench.rounds import alternate
from bench.seed import Seeded
from bench.stage import Stage

_TARGET = Target(0.25, at_least=True)
_WARM_UP = 5  # times the lanes
_ID = "00000000-0000-0000-0000-000000000000"


def measure_triggers(stage: Stage, sizes: Sizes) -> Figure:
    """Each lane triggers a no-op on a project of its own, waits until it is completed, and triggers the next."""
    with stage.worker(["noop", "entered"]) as worker:
        seen = alternate(
            sizes.repeat,
            {
                "trigger tawny": partial(_complete, stage, sizes, worker),
                "trigger floor": partial(_bare_triggers, stage, sizes),
            },
        )
    title = f"trigger to completed, {sizes.lanes} in flight"
    return Figure("trigger", title, "per_second", seen["trigger tawny"], seen["trigger floor"], _TARGET)


def _complete(stage: Stage, sizes: Sizes, worker: Child) -> Sample:
    triggers = [trigger_request(stage.seeded, lane, "noop") for lane in range(sizes.lanes)]
    plan = Complete(
        stage.api.port,
        stage.api.child.pid,
        worker.pid,
        warm_up=sizes.lanes * _WARM_UP,
        count=sizes.runs,
        triggers=triggers,
        view=view_request(stage.seeded),
    )
    sample = stage.client(plan)
    stage.clear()
    return sample


def _bare_triggers(stage: Stage, sizes: Sizes) -> Sample:
    """Each trigger names a type of its own, which no worker has: nothing frees the slots here."""
    warm_up = sizes.lanes * _WARM_UP
    requests = [trigger_request(stage.seeded, n, f"floor.{n}") for n in range(warm_up + sizes.triggers)]
    plan = Hammer(stage.floor.port, stage.floor.child.pid, sizes.lanes, warm_up, sizes.triggers, requests)
    sample = stage.client(plan)
    stage.clear()
    return sample


def trigger_request(seeded: Seeded, lane: int, job_type: str, *, query: str = "") -> str:
    """Ask for a run of this type on the lane's project."""
    project_id = seeded.project_ids[lane % len(seeded.project_ids)]
    path = f"/v1/teams/{seeded.team_id}/jobs/trigger{query}"
    return post(path, seeded.key, {"job_type": job_type, "project_id": str(project_id)})


def view_request(seeded: Seeded) -> tuple[str, str]:
    """What stands before and behind a run's id in a request to look at it."""
    before, _, behind = get(f"/v1/jobs/{_ID}", seeded.key).partition(_ID)
    return before, behind
