"""GET /v1/teams/:teamId/workers."""

from __future__ import annotations

from importlib import import_module
from typing import Any
from uuid import UUID

import pytest

from api.world import World, is_time, refusal
from tawny import runs


async def workers(world: World) -> list[dict[str, Any]]:
    answer = await world.send("GET", f"/v1/teams/{world.team_id}/workers")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["workers"]
    return found


async def beat(world: World, worker_id: UUID, *claimed: runs.Claimed, **told: Any) -> None:
    held = [(run.id, run.attempt) for run in claimed]
    assert await runs.renew(world.conn, worker_id, lease=60, held=held, sign=runs.Sign(**told))


async def test_a_worker_tells_what_it_is_and_what_it_runs_for_the_team(world: World) -> None:
    worker_id, claimed = await world.running()
    await beat(world, worker_id, claimed, memory=70_000_000)
    (found,) = await workers(world)
    assert is_time(found.pop("started_at"))
    assert is_time(found.pop("seen_at"))
    (run,) = found.pop("runs")
    assert is_time(run.pop("started_at"))
    assert run == {"id": str(claimed.id), "job_type": "export", "project_id": str(world.project_id)}
    assert found == {
        "id": str(worker_id),
        "name": "test:1",
        "version": "0",
        "state": "alive",
        "memory_bytes": 70_000_000,
        "running": 1,
        "yours": 1,
    }


async def test_of_the_runs_of_others_only_their_number_is_told(world: World) -> None:
    other, _ = await world.add_team()
    key, project = await world.add_key(team_id=other), await world.add_project(other)
    worker_id, mine = await world.running()
    theirs = await world.made(as_=key, team_id=other, project_id=str(project))
    (claimed,) = await runs.claim(world.conn, worker_id, job_types=["export"], slots=100)
    await beat(world, worker_id, mine, claimed)
    (found,) = await workers(world)
    assert (found["running"], found["yours"]) == (2, 1)
    assert [run["id"] for run in found["runs"]] == [str(mine.id)]
    answer = await world.send("GET", f"/v1/teams/{other}/workers", as_=key)
    assert [run["id"] for run in answer.json()["workers"][0]["runs"]] == [str(theirs)]


async def test_a_claim_is_seen_before_the_next_beat(world: World) -> None:
    await world.running()
    (found,) = await workers(world)
    assert (found["running"], found["yours"], found["memory_bytes"]) == (1, 1, None)


async def test_bulk_actions_are_runs_of_the_team(world: World) -> None:
    await world.ended("failed", job_type="import")
    asked = await world.bulk(filter={"status": "failed"})
    assert asked.status_code < 300, asked.text
    worker_id = await runs.enlist(world.conn, name="test:1", version="0", lease=60)
    await world.conn.execute("delete from workers where id <> $1", worker_id)
    await runs.claim(world.conn, worker_id, job_types=["tawny.bulk"], slots=1)
    (found,) = await workers(world)
    assert [(run["job_type"], run["project_id"]) for run in found["runs"]] == [("tawny.bulk", None)]


@pytest.mark.parametrize(
    ("state", "change"),
    [
        ("draining", "draining = true"),
        ("silent", "seen_at = clock_timestamp() - interval '20.1 seconds'"),
        ("silent", "draining = true, seen_at = clock_timestamp() - interval '25 seconds'"),
        ("alive", "seen_at = clock_timestamp() - interval '15 seconds'"),
        ("lost", "leased_until = clock_timestamp()"),
    ],
)
async def test_it_says_how_a_worker_is(world: World, state: str, change: str) -> None:
    worker_id = await runs.enlist(world.conn, name="test:1", version="0", lease=60)
    await world.conn.execute("update workers set leased_until = clock_timestamp() + interval '40 seconds'")
    await world.conn.execute(f"update workers set {change} where id = $1", worker_id)
    (found,) = await workers(world)
    assert found["state"] == state


async def test_one_that_was_taken_back_from_or_left_is_on_no_list(world: World) -> None:
    await world.running()
    await world.reap()
    assert await workers(world) == []


async def test_what_is_told_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    room = import_module("tawny.history.workers")
    monkeypatch.setattr(room, "SHOWN", 1)
    monkeypatch.setattr(room, "AT_ONCE", 1)
    oldest = await world.made()
    await world.made(project_id=str(await world.add_project()))
    await world.running(project_id=str(await world.add_project()))
    await runs.enlist(world.conn, name="test:2", version="0", lease=60)
    (found,) = await workers(world)
    assert found["yours"] == 3
    assert [run["id"] for run in found["runs"]] == [str(oldest)]


async def test_who_may_not_list_runs_learns_nothing_of_workers(world: World) -> None:
    path = f"/v1/teams/{world.team_id}/workers"
    assert refusal(await world.send("GET", path, as_=await world.token_of("member"))) == (403, "insufficient_role")
    assert refusal(await world.send("GET", path, as_=await world.add_key("jobs:write"))) == (403, "insufficient_permission")
    assert refusal(await world.send("GET", path, as_=None)) == (401, "unauthenticated")
