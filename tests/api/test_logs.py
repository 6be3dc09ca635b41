"""GET /v1/jobs/:runId/logs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from api.world import World
from tawny import runs
from tawny.jobs import LEVELS
from tawny.runs import Flushed, LogLine

NOON = datetime(2026, 5, 1, 12, 0, 0, 123_456, tzinfo=UTC)


async def written(world: World, *lines: LogLine, dropped: int = 0) -> UUID:
    """A running run that wrote these lines."""
    _, claimed = await world.running()
    flushed = Flushed((claimed.id, claimed.attempt), logs=lines, lines=len(lines), bytes=0, dropped=dropped)
    await runs.flush(world.conn, [flushed])
    return claimed.id


def line(seq: int, level: str = "info", message: str = "x", **fields: Any) -> LogLine:
    return LogLine(seq, LEVELS[level], message, json.dumps(fields) if fields else None, NOON)


async def read(world: World, run_id: UUID, **params: Any) -> dict[str, Any]:
    answer = await world.logs(run_id, **params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def seqs(world: World, run_id: UUID, **params: Any) -> list[int]:
    return [shown["seq"] for shown in (await read(world, run_id, **params))["logs"]]


async def test_a_run_that_wrote_nothing_has_an_empty_log(world: World) -> None:
    run_id = await world.made()
    assert await read(world, run_id) == {"logs": [], "next_after": 0, "has_more": False, "dropped": 0}


async def test_a_line_is_shown_as_it_was_written(world: World) -> None:
    message = 'It said "no"\n\\ and \u2028 left, as 日本 does'
    run_id = await written(world, line(1, "warning", message, rows=20, of={"a": [1, None]}), line(2), dropped=3)
    answer = await read(world, run_id)
    assert answer["logs"] == [
        {
            "seq": 1,
            "attempt": 1,
            "level": "warning",
            "message": message,
            "fields": {"rows": 20, "of": {"a": [1, None]}},
            "logged_at": "2026-05-01T12:00:00.123Z",
        },
        {"seq": 2, "attempt": 1, "level": "info", "message": "x", "fields": None, "logged_at": "2026-05-01T12:00:00.123Z"},
    ]
    assert (answer["next_after"], answer["has_more"], answer["dropped"]) == (2, False, 3)


@pytest.mark.parametrize(("level", "shown"), [("debug", [1, 2, 3, 4]), ("info", [2, 3, 4]), ("warning", [3, 4]), ("error", [4])])
async def test_only_lines_of_at_least_the_level_are_shown(world: World, level: str, shown: list[int]) -> None:
    run_id = await written(world, *[line(seq, name) for seq, name in enumerate(LEVELS, 1)])
    assert await seqs(world, run_id, level=level) == shown
    assert [entry["level"] for entry in (await read(world, run_id))["logs"]] == list(LEVELS)


@pytest.mark.parametrize("limit", [1, 3, 10])
async def test_a_walk_returns_every_line_once(world: World, limit: int) -> None:
    run_id = await written(world, *[line(seq) for seq in range(1, 11)])
    found: list[int] = []
    page: dict[str, Any] = {"next_after": 0, "has_more": True}
    while page["has_more"] and len(found) < 20:
        page = await read(world, run_id, after=page["next_after"], limit=limit)
        found += [entry["seq"] for entry in page["logs"]]
    assert found == list(range(1, 11))
    assert await read(world, run_id, after=10) == {"logs": [], "next_after": 10, "has_more": False, "dropped": 0}


async def test_two_hundred_lines_are_a_page_unless_another_limit_is_asked_for(world: World) -> None:
    run_id = await written(world, *[line(seq) for seq in range(1, 1_102)])
    assert len(await seqs(world, run_id)) == 200
    assert len(await seqs(world, run_id, limit=1_000)) == 1_000


async def test_lines_of_another_run_are_not_shown(world: World) -> None:
    run_id = await written(world, line(1))
    _, other = await world.running(job_type="import")
    await runs.flush(world.conn, [Flushed((other.id, other.attempt), logs=[line(2)], lines=1)])
    assert await seqs(world, run_id) == [1]


@pytest.mark.parametrize(
    ("name", "value"),
    [("after", "-1"), ("after", "x"), ("after", str(2**31)), ("after", ""), ("level", "warn"), ("level", "30"), ("level", "")]
    + [("limit", value) for value in ("0", "1001", "1.5", "", "٣")],
)
async def test_a_wrong_parameter_is_refused_by_name(world: World, name: str, value: str) -> None:
    answer = await world.logs(await world.made(), **{name: value})
    assert (answer.status_code, answer.json()["code"], answer.json()["parameter"]) == (400, "invalid_parameter", name)


async def test_a_parameter_given_twice_is_refused(world: World) -> None:
    answer = await world.send("GET", f"/v1/jobs/{await world.made()}/logs?after=1&after=2")
    assert (answer.status_code, answer.json()["code"]) == (400, "repeated_parameter")


async def test_any_member_of_the_team_may_look(world: World) -> None:
    run_id = await world.made()
    assert (await world.logs(run_id, as_=await world.token_of("member"))).status_code == 200


async def test_unknown_foreign_malformed_and_system_runs_are_the_same_404(world: World) -> None:
    run_id = await world.made()
    stranger = await world.add_key(team_id=(await world.add_team())[0])
    unknown = [uuid4(), await world.system_run(), "abc", f"{run_id}%00"]
    answers = [await world.logs(run_id, as_=stranger), *[await world.logs(id_) for id_ in unknown]]
    assert [answer.status_code for answer in answers] == [404] * len(answers)
    assert {answer.content for answer in answers} == {(await world.view(uuid4())).content}


async def test_the_end_of_a_log_is_read_from_behind(world: World) -> None:
    run_id = await written(world, *(line(seq) for seq in range(1, 6)))
    last = await read(world, run_id, before=2**31 - 1, limit=2)
    assert ([shown["seq"] for shown in last["logs"]], last["has_more"], last["next_after"]) == ([4, 5], True, 5)
    assert await seqs(world, run_id, before=4, limit=10) == [1, 2, 3]


async def test_a_log_is_searched_by_text(world: World) -> None:
    run_id = await written(world, line(1, message="Row 1 of 100%"), line(2, message="done"), line(3, "error", "ROW 2 broke"))
    assert await seqs(world, run_id, search="row") == [1, 3]
    assert await seqs(world, run_id, search="%") == [1]
    assert await seqs(world, run_id, search="row", level="error", before=9) == [3]


async def test_before_and_after_exclude_each_other(world: World) -> None:
    answer = await world.logs(await world.made(), before=5, after=1)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")
