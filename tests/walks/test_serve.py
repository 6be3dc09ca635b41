"""`tawny serve` from outside: what it says, what it leaves behind, and what it survives."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.commands import PATIENCE, Serving, descendants, tawny
from tests.postgres import alive, eventually

pytestmark = pytest.mark.walk

SLOW_JOB = """
import time
from tawny import Run, Tawny

app = Tawny()

@app.job("code_census")
def sleep(run: Run, seconds: int = 600) -> dict:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.05)
    return {"slept": seconds}
"""


QUICK_JOB = """
from tawny import Run, Tawny

app = Tawny()

@app.job("code_census")
async def nothing(run: Run) -> dict:
    return {"files": 0}

@app.system_job("self_check")
async def check(run: Run) -> dict:
    return {}
"""


@pytest.fixture
def quick(tmp_path: Path) -> str:
    """An app whose job takes no time."""
    (tmp_path / "quick.py").write_text(QUICK_JOB)
    return "quick:app"


@pytest.fixture
def served(tmp_path: Path, quick: str) -> Iterator[Serving]:
    """A server on its first start, on a free port."""
    with Serving(tmp_path, "--port", "0", "--app", quick) as serving:
        yield serving.wait_until_up()


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Serving]:
    """A server whose one job ignores every wish to stop, with a run of it under way and a long drain."""
    (tmp_path / "slow.py").write_text(SLOW_JOB)
    with Serving(tmp_path, "--port", "0", "--app", "slow:app", TAWNY_DRAIN="10m") as serving:
        run_is(serving.wait_until_up(), trigger(serving)["id"], "running")
        yield serving


def trigger(serving: Serving) -> dict[str, Any]:
    """Run the printed line in a shell, as a person would."""
    said = subprocess.run(["bash", "-c", serving.curl], capture_output=True, text=True, timeout=20, check=True)
    run: dict[str, Any] = json.loads(said.stdout)["job_run"]
    return run


def run_is(serving: Serving, run_id: str, status: str, key: str | None = None) -> dict[str, Any]:
    """Wait until the run has this status, and return it."""
    answers: list[dict[str, Any]] = []

    def arrived() -> bool:
        answers.append(serving.get(f"/v1/jobs/{run_id}", key or serving.key).json()["job_run"])
        return bool(answers[-1]["status"] == status)

    eventually(arrived, PATIENCE)
    return answers[-1]


def test_the_printed_line_works_as_printed(tmp_path: Path) -> None:
    with Serving(tmp_path, "--port", "0") as serving:
        run = trigger(serving.wait_until_up())
        assert (run["status"], run["job_type"]) == ("pending", "code_census")
        eventually(lambda: (progress(serving, run["id"]) or {}).get("processed", 0) > 0, PATIENCE)


def progress(serving: Serving, run_id: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = serving.get(f"/v1/jobs/{run_id}", serving.key).json()["job_run"]["progress"]
    return found


def test_the_key_is_printed_only_by_the_first_start(served: Serving, tmp_path: Path) -> None:
    key = served.key
    served.press_ctrl_c()
    served.ended()
    with Serving(tmp_path, "--port", "0") as again:
        again.wait_until_up()
        assert "tawny_" not in again.out + again.err
        assert again.get("/v1/jobs/nothing", key).status_code == 404  # and not 401: the key still opens


def test_ctrl_c_stops_everything_and_leaves_nothing(served: Serving) -> None:
    served.press_ctrl_c()
    assert served.ended() == 0
    assert served.has_left_nothing()
    assert "Traceback" not in served.out + served.err
    assert served.err.count("stopping") == 1  # once, through the server, and not by the terminal as well


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_stop_it_as_well(served: Serving, number: signal.Signals) -> None:
    served.process.send_signal(number)
    assert served.ended() == 0
    assert served.has_left_nothing()
    assert "Traceback" not in served.err


def test_ctrl_c_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    with Serving(tmp_path, "--port", "0") as starting:
        eventually((tmp_path / ".tawny/lock").exists, PATIENCE)  # the database is being made
        starting.press_ctrl_c()
        assert starting.ended() == 0
        eventually(starting.has_left_nothing)
        assert "Traceback" not in starting.err
    with Serving(tmp_path, "--port", "0") as again:
        again.wait_until_up()


def test_a_second_ctrl_c_gives_the_runs_back_at_once(slow: Serving, tmp_path: Path) -> None:
    key, run = slow.key, slow.get(f"/v1/teams/{team_of(slow)}/jobs", slow.key).json()["job_runs"][0]
    slow.press_ctrl_c()
    slow.wait_for("stopping: running handlers are waited for")
    slow.press_ctrl_c()
    assert slow.ended() == 0
    assert slow.has_left_nothing()
    with Serving(tmp_path, "--port", "0", "--app", "slow:app", "--no-worker") as again:
        again.wait_until_up(worker=False)
        assert run_is(again, run["id"], "pending", key)["error"] is None


def team_of(serving: Serving) -> str:
    return serving.curl.partition("/v1/teams/")[2].partition("/")[0]


def test_kill_9_leaves_no_worker_and_no_postgres(slow: Serving) -> None:
    slow.look_at_family()
    assert {slow.worker, slow.postgres} <= slow.pids
    slow.process.kill()
    slow.ended()
    eventually(slow.has_left_nothing, 10)


def test_a_worker_that_dies_is_started_again(served: Serving) -> None:
    first = served.worker
    os.kill(first, signal.SIGKILL)
    served.wait_for("the worker has ended and is started again")
    eventually(lambda: served.err.count("enlisted") == 2, PATIENCE)
    assert served.worker != first
    run_is(served, trigger(served)["id"], "completed")


def test_a_postgres_that_dies_is_started_again(served: Serving) -> None:
    os.kill(served.postgres, signal.SIGKILL)
    served.wait_for("PostgreSQL had ended by itself and was started again")
    eventually(lambda: served.get("/v1/jobs/nothing", served.key).status_code == 404, PATIENCE)


def test_a_second_serve_on_the_same_folder_is_refused(served: Serving, tmp_path: Path) -> None:
    second = tawny(tmp_path, "serve", "--port", "0")
    assert second.returncode == 1
    assert re.fullmatch(r"tawny: Process \d+ already runs the database in .*--data-dir\.\n", second.stderr)
    assert served.get("/v1/jobs/nothing", served.key).status_code == 404


def test_a_taken_port_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = tawny(tmp_path, "serve", "--port", str(taken.getsockname()[1]))
    assert refused.returncode == 1
    assert refused.stderr.startswith("tawny: Cannot listen on 127.0.0.1, port ")
    assert refused.stderr.count("\n") == 1
    assert refused.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_it_can_be_reached_as_soon_as_it_says_where(tmp_path: Path) -> None:
    with Serving(tmp_path, "--port", "0", "--no-worker") as serving:
        serving.wait_for("Tawny listens on")
        assert httpx.get(f"{serving.address}/healthz").status_code == 200


def test_other_machines_get_a_hint_about_tls(tmp_path: Path) -> None:
    with Serving(tmp_path, "--port", "0", "--host", "0.0.0.0", "--no-worker") as serving:
        serving.wait_until_up(worker=False)
        assert "put TLS in front of it" in serving.out
        assert "Sign-up is off" in serving.out
        assert serving.address.startswith("http://127.0.0.1:")


def test_a_server_on_an_external_database_makes_the_first_team_there(tmp_path: Path, scratch_url: str, quick: str) -> None:
    with Serving(tmp_path, "--port", "0", "--app", quick, TAWNY_DATABASE_URL=scratch_url) as serving:
        run_is(serving.wait_until_up(), trigger(serving)["id"], "completed")
        key = serving.key
        serving.press_ctrl_c()
        assert serving.ended() == 0
    with Serving(tmp_path, "--port", "0", "--no-worker", TAWNY_DATABASE_URL=scratch_url) as again:
        again.wait_until_up(worker=False)
        assert again.get("/v1/jobs/nothing", key).status_code == 404
        assert "tawny_" not in again.out


def test_a_worker_joins_a_running_server(tmp_path: Path, quick: str) -> None:
    options = ("--app", quick)
    with (
        Serving(tmp_path, "--port", "0", "--no-worker", *options) as serving,
        Serving(tmp_path, *options, command="work") as worker,
    ):
        run = trigger(serving.wait_until_up(worker=False))
        run_is(serving, run["id"], "completed")
        worker.process.terminate()
        assert worker.ended() == 0
        assert "Traceback" not in worker.err


def test_the_operator_can_work_beside_a_running_server(served: Serving, tmp_path: Path) -> None:
    team = json.loads(tawny(tmp_path, "admin", "create-team", "Ops", "--owner", "ops@example.com", "--json").stdout)
    run = json.loads(tawny(tmp_path, "admin", "run-system", "self_check", "--app", "quick:app", "--json").stdout)
    assert set(team) == {"team_id", "user_id"}
    assert set(run) == {"run_id"}


def test_no_password_and_no_key_is_on_any_command_line(tmp_path: Path, scratch_url: str) -> None:
    url = f"{scratch_url}&password=hunter2" if "?" in scratch_url else f"{scratch_url}?password=hunter2"
    with Serving(tmp_path, "--port", "0", TAWNY_DATABASE_URL=url) as serving:
        serving.wait_until_up()
        lines = [Path(f"/proc/{pid}/cmdline").read_text() for pid in [serving.process.pid, *descendants(serving.process.pid)]]
        assert len(lines) >= 2
        assert "hunter2" not in "".join(lines) + serving.out + serving.err


def test_a_head_without_end_is_answered_and_closed(served: Serving) -> None:
    host, port = httpx.URL(served.address).host, httpx.URL(served.address).port
    assert port
    with socket.create_connection((host, port), timeout=10) as link:
        link.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000)
        answer = b"".join(iter(lambda: link.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]


def test_what_is_not_http_gets_json_as_well(served: Serving) -> None:
    host, port = httpx.URL(served.address).host, httpx.URL(served.address).port
    assert port
    with socket.create_connection((host, port), timeout=10) as link:
        link.sendall(b"hello\r\n\r\n")
        answer = b"".join(iter(lambda: link.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
    assert alive(served.process.pid)


def test_a_worker_that_does_not_stop_is_killed_in_the_end(tmp_path: Path, quick: str) -> None:
    with Serving(tmp_path, "--port", "0", "--app", quick, TAWNY_DRAIN="0") as serving:
        os.kill(serving.wait_until_up().worker, signal.SIGSTOP)
        serving.press_ctrl_c()
        assert serving.ended() == 0
        assert serving.has_left_nothing()
        assert "the worker did not stop in time and is killed" in serving.err
