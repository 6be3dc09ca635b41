"""GET /v1/jobs/:runId/timeline."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID, uuid4

from api.world import World
from tawny import runs
from tawny.runs import CRASH_LIMIT


async def told(world: World, run_id: UUID) -> dict[str, Any]:
    answer = await world.timeline(run_id)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def outcomes(timeline: dict[str, Any]) -> list[str | None]:
    return [attempt["outcome"] for attempt in timeline["attempts"]]


def kinds(timeline: dict[str, Any]) -> list[str]:
    return [event["kind"] for event in timeline["events"]]


async def test_a_run_that_waits_has_one_event_and_no_attempt(world: World) -> None:
    run_id = await world.made()
    timeline = await told(world, run_id)
    (event,) = timeline.pop("events")
    due_at = timeline.pop("due_at")
    assert timeline == {
        "run_id": str(run_id),
        "status": "pending",
        "retry_of": None,
        "retried_by": [],
        "attempts": [],
        "truncated": False,
    }
    assert event == {"seq": 1, "kind": "triggered", "attempt": 0, "at": event["at"], "data": {}}
    for time in (due_at, event["at"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time)


async def test_a_run_that_completed_tells_who_did_it_and_when(world: World) -> None:
    _, claimed = await world.running()
    running = await told(world, claimed.id)
    assert (running["due_at"], outcomes(running)) == (None, [None])
    await world.finish(claimed)
    timeline = await told(world, claimed.id)
    (attempt,) = timeline["attempts"]
    assert (attempt["number"], attempt["worker"], attempt["outcome"]) == (1, "test:1", "completed")
    assert attempt["due_at"] <= attempt["started_at"] <= attempt["ended_at"]
    assert (attempt["waited_ms"] >= 0, attempt["ran_ms"] >= 0, attempt["error"]) == (True, True, None)
    assert kinds(timeline) == ["triggered", "started", "completed"]
    assert timeline["events"][1]["data"] == {"worker": "test:1"}


async def test_each_attempt_of_a_long_life_is_told(world: World) -> None:
    _, claimed = await world.running()
    await runs.release(world.conn, [(claimed.id, claimed.attempt)])
    await world.finish(await world.claim(), "retrying", error="ValueError: no", code="handler_failed", delay=0.0)
    await world.claim()
    await world.reap()
    last = await world.claim()
    await runs.mark_overdue(world.conn, [((last.id, last.attempt), "its time was over")])
    await world.finish(last, "failed", error="ValueError: still no", code="timeout", traceback="Traceback …")
    timeline = await told(world, claimed.id)
    assert outcomes(timeline) == ["released", "retrying", "lost", "failed"]
    assert [attempt["error"] for attempt in timeline["attempts"]] == [
        None,
        "ValueError: no",
        "Lost: the worker died while this run was on it.",
        "ValueError: still no",
    ]
    assert [attempt["overdue"] for attempt in timeline["attempts"]] == [False, False, False, True]
    assert [event["seq"] for event in timeline["events"]] == list(range(1, 11))


async def test_a_traceback_is_shown_once_with_its_attempt(world: World) -> None:
    _, claimed = await world.running()
    await world.finish(claimed, "failed", error="ValueError: no", code="handler_failed", traceback="Traceback (most recent …")
    answer = await world.timeline(claimed.id)
    assert answer.json()["attempts"][0]["traceback"] == "Traceback (most recent …"
    assert answer.json()["events"][-1]["data"] == {"error": "ValueError: no", "code": "handler_failed"}
    assert answer.text.count("Traceback") == 1


async def test_a_run_that_waits_for_another_try_says_when_it_is_due(world: World) -> None:
    _, claimed = await world.running()
    await world.finish(claimed, "retrying", error="E", delay=3_600.0)
    timeline = await told(world, claimed.id)
    assert timeline["due_at"] == timeline["events"][-1]["data"]["run_at"] > timeline["events"][-1]["at"]


async def test_a_worker_that_comes_back_alive_gave_its_run_back(world: World) -> None:
    _, claimed = await world.running()
    await world.reap()
    await world.finish(await world.claim())
    assert outcomes(await told(world, claimed.id)) == ["lost", "completed"]
    _, claimed = await world.running()
    await world.reap()
    again = await world.claim()
    await runs.release(world.conn, [(claimed.id, claimed.attempt)])
    await world.finish(again)
    timeline = await told(world, claimed.id)
    assert kinds(timeline) == ["triggered", "started", "lost", "started", "released", "completed"]
    assert outcomes(timeline) == ["released", "completed"]


async def test_a_poisoned_run_is_told_to_its_end(world: World) -> None:
    run_id = await world.made()
    for _ in range(CRASH_LIMIT):
        await world.claim()
        await world.reap()
    timeline = await told(world, run_id)
    assert (timeline["status"], outcomes(timeline)) == ("failed", ["lost"] * 3)
    assert timeline["attempts"][-1]["code"] == "poisoned"
    assert timeline["attempts"][-1]["error"].startswith("Given up after 3 crashes")


async def test_a_cancel_names_who_asked(world: World) -> None:
    _, claimed = await world.running()
    await world.cancel(claimed.id)
    timeline = await told(world, claimed.id)
    assert timeline["events"][-1]["kind"] == "cancel_requested"
    assert timeline["events"][-1]["data"]["by"].startswith("api_key:")


async def test_a_run_knows_what_it_repeats_and_what_repeats_it(world: World) -> None:
    first, second, third = await world.made(), await world.made(job_type="import"), uuid4()
    await world.conn.execute("update job_runs set retry_of = $1 where id = $2", first, second)
    foreign = await world.made(job_type="import", project_id=str(await world.add_project()))
    await world.conn.execute("update job_runs set retry_of = $1, team_id = $3 where id = $2", first, foreign, third)
    assert (await told(world, first))["retried_by"] == [str(second)]
    assert (await told(world, second))["retry_of"] == str(first)


async def test_of_many_events_the_newest_thousand_are_told(world: World) -> None:
    run_id = await world.made()
    await world.conn.execute(
        "insert into run_events (run_id, seq, kind, attempt) "
        "select $1, n, case n % 2 when 0 then 'started' else 'released' end, n / 2 from generate_series(2, 1500) as n",
        run_id,
    )
    timeline = await told(world, run_id)
    assert timeline["truncated"] is True
    assert [event["seq"] for event in timeline["events"]] == list(range(501, 1501))
    assert timeline["attempts"][0]["number"] == 251


async def test_any_member_of_the_team_may_look(world: World) -> None:
    run_id = await world.made()
    assert (await world.timeline(run_id, as_=await world.token_of("member"))).status_code == 200


async def test_unknown_foreign_malformed_and_system_runs_are_the_same_404(world: World) -> None:
    run_id = await world.made()
    stranger = await world.add_key(team_id=(await world.add_team())[0])
    unknown = [uuid4(), await world.system_run(), "abc", f"{run_id}%00"]
    answers = [await world.timeline(run_id, as_=stranger), *[await world.timeline(id_) for id_ in unknown]]
    assert [answer.status_code for answer in answers] == [404] * len(answers)
    assert {answer.content for answer in answers} == {(await world.view(uuid4())).content}
