"""`tawny jobs`, on a terminal, in a pipe and for programs."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.waiting import until

from api.world import World
from cli.conftest import Person
from tawny import runs
from tawny.cli.user import show
from tawny.cli.user import watch as watching
from tawny.client import Event
from tawny.db.ids import uuid7
from tawny.jobs import LEVELS
from tawny.runs import Claimed, Flushed, LogLine

pytestmark = pytest.mark.walk


async def flush(world: World, claimed: Claimed, processed: int, total: int = 10, message: str | None = None, **more: Any) -> None:
    said = json.dumps({"processed": processed, "total": total} | ({"message": message} if message else {}))
    await runs.flush(world.conn, [Flushed((claimed.id, claimed.attempt), progress=said, **more)])


LIMIT = ("--timeout", "30s")
"""So that a test that fails does not wait for a run that nobody ends."""


def project(world: World) -> tuple[str, str]:
    return "--project", str(world.project_id)


# Triggering


async def test_a_trigger_prints_the_id_and_what_is_next(script: Person, world: World) -> None:
    said = script("jobs", "trigger", "export", *project(world), "--param", "month=2026-02", "--param", "count:=3", "--notify")
    assert said.code == 0
    run_id = said.out.strip()
    assert f"tawny jobs watch {run_id[-8:]}" in said.err
    run = script("jobs", "view", run_id, "--json").json
    assert (run["id"], run["status"], run["notify"]) == (run_id, "pending", True)
    assert run["params"] == {"month": "2026-02", "count": 3, "project_id": str(world.project_id)}


async def test_params_come_from_a_file_and_the_command_line_wins(script: Person, world: World, tmp_path: Path) -> None:
    (tmp_path / "params.json").write_text('{"month": "2026-01", "count": 2}')
    given = ("--params", f"@{tmp_path}/params.json", "--param", "month=a=b")
    run = script("jobs", "trigger", "import", *project(world), *given, "--json").json
    assert run["params"] == {"month": "a=b", "count": 2, "project_id": str(world.project_id)}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("--param", "month"), "'month' should look like"),
        (("--param", "=1"), "should look like"),
        (("--param", "count:=three"), "of count:= is not JSON"),
        (("--params", "@nowhere.json"), "nowhere.json cannot be read"),
        (("--params", "[1]"), "should be a JSON object"),
        (("--params", "{"), "is not JSON"),
        (("--timeout", "10m"), "--wait"),
        (("--wait", "--timeout", "soon"), "such as 30s"),
    ],
)
async def test_wrong_params_are_one_sentence(script: Person, world: World, given: tuple[str, ...], sentence: str) -> None:
    script("jobs", "trigger", "export", *project(world), *given).refused(2, sentence)


async def test_what_the_server_refuses_has_its_exit_code(script: Person, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = await world.made()
    script("jobs", "trigger", "export", *project(world)).refused(4, str(run_id), f"tawny jobs watch {str(run_id)[-8:]}")
    script("jobs", "trigger", "exprot", *project(world)).refused(1, "export")
    script("jobs", "trigger", "export").refused(1, "project_id is required")
    script("jobs", "view", str(uuid7())).refused(1, "Run not found.")
    script("jobs", "view", "12").refused(2, "at least 4 characters")
    script("jobs", "view", "ffffffffff").refused(1, "tawny jobs list")
    script("jobs", "list", "--status", "done").refused(1, "status")
    monkeypatch.setenv("TAWNY_API_KEY", await world.add_key("jobs:read"))
    script("jobs", "cancel", str(run_id)).refused(3, "jobs:write")
    script("jobs", "list", "--project", "shop").refused(3, "projects:read")


async def test_the_same_idempotency_key_makes_one_run(script: Person, world: World) -> None:
    made = [script("jobs", "trigger", "export", *project(world), "--idempotency-key", "k").out for _ in range(2)]
    assert made[0] == made[1]


# Looking


async def test_a_list_is_found_by_what_it_shows(script: Person, world: World) -> None:
    done = str(await world.ended())
    pending = str(await world.made())
    said = script("jobs", "list")
    assert (said.code, said.err) == (0, "")
    assert [line.split()[0] for line in said.out.splitlines()] == ["Run", pending, done]
    assert script("jobs", "view", done[-8:], "--json").json["id"] == done
    assert [run["id"] for run in script("jobs", "list", "--json").json] == [pending, done]
    assert [run["id"] for run in script("jobs", "list", "--status", "completed", "--json").json] == [done]
    assert "--limit shows more" in script("jobs", "list", "--limit", "1").err
    assert script("jobs", "list", "--type", "import").err == "No run is like that.\n"


@pytest.mark.parametrize("columns", [40, 80, 120])
async def test_a_table_is_never_wider_than_the_terminal(
    script: Person, world: World, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    _, claimed = await world.running()
    await flush(world, claimed, 1_234_567, 9_999_999)
    for command in (("jobs", "list"), ("jobs", "types"), ("jobs", "view", str(claimed.id))):
        said = script(*command)
        assert said.code == 0
        assert max(map(len, said.out.splitlines())) <= columns, said.out
    listed = script("jobs", "list").out
    assert (str(claimed.id) if columns == 120 else str(claimed.id)[-8:]) in listed or columns == 40
    assert "1,234,567/9,999,999" in listed or columns == 40


@pytest.mark.parametrize(
    ("needed", "room", "cut", "widths"),
    [
        ([5, 30, 8], 50, [1], [5, 30, 8]),
        ([5, 30, 8], 33, [1], [5, 20, 8]),
        ([5, 30, 40], 39, [1, 2], [5, 17, 17]),
        ([5, 30, 8], 15, [1], [5, 5, 5]),
        ([5, 5], 1, [], [1, 1]),
    ],
)
def test_columns_give_way_in_turn(needed: list[int], room: int, cut: list[int], widths: list[int]) -> None:
    assert show.fitted(needed, room, cut) == widths


async def test_an_empty_list_invites(script: Person) -> None:
    said = script("jobs", "list")
    assert (said.code, said.out) == (0, "")
    assert "No runs yet. Start one: tawny jobs trigger" in said.err
    assert script("jobs", "list", "--json").json == []


async def test_a_view_says_all_and_does_nothing_to_the_terminal(script: Person, world: World) -> None:
    _, claimed = await world.running(params={"month": "\x1b[2J\x9b31m[red]x"})
    await flush(world, claimed, 3, message="\x1b]0;title\x07done\u202e")
    await world.finish(claimed, "failed", error="Row 17\x1b[31m\nhas no address", code="handler_failed")
    shown = script("jobs", "view", str(claimed.id)).out
    assert all(part in shown for part in ("failed", "3/10", "Row 17", "[red]x", "manual:api_key:"))
    assert not any(bad in shown for bad in ("\x1b", "\x9b", "\x07", "\u202e"))


async def test_a_view_shows_attempts_when_there_were_several(script: Person, world: World) -> None:
    _, claimed = await world.running()
    await world.reap()
    again = await world.claim()
    await world.finish(again)
    shown = script("jobs", "view", str(claimed.id)).out
    assert "Attempt" in shown
    assert "lost" in shown


async def test_types_are_those_that_can_be_triggered(script: Person) -> None:
    shown = script("jobs", "types").out
    assert "[month] [count] [dry_run]" in shown
    assert "Exports a month." in shown
    assert "sweep" not in shown
    assert "sweep" in [job_type["name"] for job_type in script("jobs", "types", "--json").json]


async def test_logs_are_lines(script: Person, world: World) -> None:
    _, claimed = await world.running()
    assert script("jobs", "logs", str(claimed.id)).err == "Nothing was logged.\n"
    levels, now = ("info", "error"), datetime.now(UTC)
    lines = [LogLine(n, LEVELS[level], f"line {n}\x1b", '{"n": 1}', now) for n, level in enumerate(levels, 1)]
    await runs.flush(world.conn, [Flushed((claimed.id, claimed.attempt), logs=lines, lines=2, bytes=9)])
    shown = script("jobs", "logs", str(claimed.id)).out
    assert [line[9:] for line in shown.splitlines()] == ["info    line 1� n=1", "error   line 2� n=1"]
    assert script("jobs", "logs", str(claimed.id), "--level", "error").out.count("\n") == 1
    following = asyncio.create_task(script.meanwhile("jobs", "logs", str(claimed.id), "--json", "--follow"))
    await world.finish(claimed)
    assert [json.loads(line)["seq"] for line in (await following).out.splitlines()] == [1, 2]


# Stopping and repeating


async def test_cancel_and_retry(script: Person, world: World) -> None:
    run_id = str(await world.made())
    assert "Asked it to stop" in script("jobs", "cancel", run_id[-8:]).err
    script("jobs", "cancel", run_id).refused(1, "cancelled")
    again = script("jobs", "retry", run_id).out.strip()
    assert again != run_id
    assert script("jobs", "view", again, "--json").json["status"] == "pending"
    assert again in script("jobs", "view", run_id).out


# Watching


@pytest.mark.parametrize(("status", "code"), [("completed", 0), ("failed", 1)])
async def test_waiting_says_how_it_ended(script: Person, world: World, status: str, code: int) -> None:
    waiting = asyncio.create_task(script.meanwhile("jobs", "trigger", "export", *project(world), "--wait", *LIMIT))
    claimed = await _claimed(world)
    await flush(world, claimed, 5, message="half")
    more = {"error": "It broke.", "code": "handler_failed"} if status == "failed" else {"result": '{"rows": 3}'}
    await world.finish(claimed, status, **more)
    said = await waiting
    assert said.code == code, said.err
    assert f"export {status}" in said.err
    assert ("It broke." in said.err) == (status == "failed")
    assert said.out == ("" if status == "failed" else '{\n  "rows": 3\n}\n')


async def _claimed(world: World) -> Claimed:
    async def pending() -> Any:
        return await world.conn.fetchval("select id from job_runs where status = 'pending'")

    await until(pending, "the run")
    return await world.claim()


async def test_waiting_in_json_prints_the_run_and_nothing_else(script: Person, world: World) -> None:
    waiting = asyncio.create_task(script.meanwhile("jobs", "trigger", "export", *project(world), "--wait", "--json", *LIMIT))
    await world.finish(await _claimed(world))
    said = await waiting
    assert said.json["status"] == "completed"
    assert said.err == ""


async def test_a_cancelled_run_is_exit_code_1(script: Person, world: World) -> None:
    _, claimed = await world.running()
    following = asyncio.create_task(script.meanwhile("jobs", "watch", str(claimed.id), *LIMIT))
    await world.cancel(claimed.id)
    await world.finish(claimed)
    said = await following
    assert said.code == 1
    assert "export cancelled" in said.err


async def test_what_happens_to_attempts_is_a_line(script: Person, world: World) -> None:
    waiting = asyncio.create_task(script.meanwhile("jobs", "trigger", "export", *project(world), "--wait", *LIMIT))
    await _claimed(world)
    await world.reap()
    await world.finish(await world.claim(), result='{"a": 1}')
    said = await waiting
    assert "attempt 1 was lost" in said.err
    assert "attempt 2 started" in said.err


async def test_watching_in_json_is_an_event_on_each_line(script: Person, world: World) -> None:
    run_id = await world.ended()
    said = script("jobs", "watch", str(run_id), "--json")
    assert (said.code, said.err) == (0, "")
    (event,) = map(json.loads, said.out.splitlines())
    assert (event["kind"], event["run_id"]) == ("completed", str(run_id))


async def test_a_run_that_takes_too_long_goes_on(script: Person, world: World) -> None:
    run_id = await world.made()
    script("jobs", "watch", str(run_id), "--timeout", "0.1s").refused(1, f"tawny jobs watch {run_id}")
    assert (await world.view(run_id)).json()["job_run"]["status"] == "pending"


async def test_ctrl_c_without_a_terminal_leaves_the_run(script: Person, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = await world.made()
    _interrupting(monkeypatch, times=1)
    said = script("jobs", "watch", str(run_id))
    assert said.code == 130
    assert f"The run goes on: `tawny jobs watch {run_id}`" in said.err


@pytest.mark.parametrize(("typed", "code"), [("l\n", 130), ("\n", 130), ("", 130), ("c\n", 1), ("w\nc\n", 1)])
async def test_ctrl_c_asks(script: Person, world: World, monkeypatch: pytest.MonkeyPatch, typed: str, code: int) -> None:
    run_id = await world.made()
    _interrupting(monkeypatch, times=typed.count("\n") or 1)
    said = script("jobs", "watch", str(run_id), typed=typed)
    assert said.code == code, said
    assert (await world.view(run_id)).json()["job_run"]["status"] == ("cancelled" if code == 1 else "pending")


def _interrupting(patch: pytest.MonkeyPatch, times: int) -> None:
    """Press Ctrl-C while the run is followed, so many times."""
    left, follow = [times], watching.Watch._follow

    def pressed(self: Any, run: Any) -> None:
        if left[0]:
            left[0] -= 1
            raise KeyboardInterrupt
        follow(self, run)

    patch.setattr(watching.Watch, "_follow", pressed)


def event(kind: str, attempt: int = 1, **data: Any) -> Event:
    return Event(None, kind, "r", attempt, data)


def test_only_what_people_want_to_know_is_said() -> None:
    said = [watching.sentence(event(kind)) for kind in ("triggered", "started", "completed", "failed", "unheard_of")]
    assert said == [None] * 5
    assert watching.sentence(event("retrying", error="No {x}.\x1b")) == "attempt 1 failed: No {x}.�; it is tried again"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "40ms"), (1.25, "1.2s"), (59.4, "59s"), (200, "3m 20s"), (7500, "2h 05m"), (3599.9, "1h 00m")]
)
def test_spans_are_short(seconds: float, text: str) -> None:
    assert show.span(seconds) == text
