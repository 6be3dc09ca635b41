"""Somebody tries the examples as their index and their first lines say, one after the other, on one database."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.conftest import fresh_database
from tests.examples.test_http_client import payments
from tests.postgres import eventually
from tests.walks.terminal import Foreground, Shell
from tests.walks.test_readme import PRINTED_PORT, free_port

pytestmark = pytest.mark.walk

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
UVICORN_PORT = "8000"

# What each line of an example that is to be tried ends with: the status, and what the answer holds.
ENDS: dict[str, list[tuple[str, str]]] = {
    "retries": [("completed", '"attempt": 3'), ("failed", "There is no rate for gold.")],
    "resume": [("completed", '"resumed_from": 0')],
    "trigger_with_order": [("completed", '"customer": "Ada"')],
    "rows_and_checkpoint": [("completed", '"rows": 1500')],
    "plain_function": [("completed", '"found": 430'), ("cancelled", '"result":null')],
    "child_process": [("completed", '"value": 1'), ("cancelled", '"result":null')],
    "one_per_month": [("pending", '"month": "2026-02"'), ("", '"existing_run_id"')],
    "progress": [("completed", '"sent": 60'), ("completed", '"longest": 25')],
    "partial_result": [("failed", '"text": "no address"')],
    "http_client": [("completed", '"charge": "charge of 1250"')],
}


@dataclass
class Newcomer:
    """Has a folder with the examples, a database, and a shell in which the index was followed."""

    folder: Path
    shell: Shell
    settings: dict[str, str]
    uvicorn_port: str

    @contextmanager
    def started(self, command: str, screen: str) -> Iterator[Foreground]:
        """The command in a terminal of its own, stopped by Ctrl-C in the end."""
        with Foreground(self.folder, command, screen=self.folder / screen, **self.settings) as running:
            yield running
            running.press_ctrl_c()
            assert running.ended() == 0, running.err

    def lines(self, name: str, *labels: str) -> list[str]:
        """What stands behind these labels at the top of an example."""
        said = ast.get_docstring(ast.parse((self.folder / f"examples/{name}.py").read_text())) or ""
        found = re.findall(r"^(Run it|Try it|And): +(.+)$", said, re.MULTILINE)
        return [line.replace(UVICORN_PORT, self.uvicorn_port) for label, line in found if label in labels]


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory, server_url: str) -> Iterator[Newcomer]:
    folder = tmp_path_factory.mktemp("examples")
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / ".venv").symlink_to(sys.prefix)
    port, uvicorn_port = str(free_port()), str(free_port())
    _, follow_once, first = re.findall(
        r"^```sh\n(.*?)^```$", (folder / "examples/README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    with fresh_database(server_url, f"tawny_examples_{os.getpid()}") as url, payments() as (service, _), Shell(folder) as shell:
        settings = {
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "TAWNY_PORT": port,
            "TAWNY_LEASE": "2s",
            "TAWNY_DRAIN": "0s",
            "TAWNY_DATABASE_URL": url,
            "TAWNY_SECRET": "the secret of a walk, of 32 bytes or more",
            "PAYMENTS_URL": service,
            "UVICORN_PORT": uvicorn_port,
        }
        shell.type(f"export TAWNY_DATABASE_URL='{url}'")
        shell.type(follow_once.replace(PRINTED_PORT, port))
        newcomer = Newcomer(folder, shell, settings, uvicorn_port)
        assert first.strip() in newcomer.lines("retries", "Try it")
        yield newcomer


@pytest.mark.parametrize("name", ENDS)
def test_an_example_does_what_it_says(newcomer: Newcomer, name: str) -> None:
    (command,) = newcomer.lines(name, "Run it")
    with newcomer.started(command, name) as serving:
        worker = serving.wait_until_up().worker
        tried = [newcomer.shell.type(line) for line in newcomer.lines(name, "Try it", "And")]
        for said, (status, shown) in zip(tried, ENDS[name], strict=True):
            assert f'"status":"{status}"' in last(said) or not status, said
            assert shown in last(said), said
        assert (serving.worker, serving.err.count("enlisted")) == (worker, 1), "no example costs its worker anything"


def last(said: str) -> str:
    return said.strip().splitlines()[-1]


def test_a_run_of_a_killed_worker_is_resumed(newcomer: Newcomer, say: Callable[[str], None]) -> None:
    (command,), (try_it,) = newcomer.lines("resume", "Run it"), newcomer.lines("resume", "Try it")
    with newcomer.started(command, "resume-killed") as serving:
        serving.wait_until_up()
        newcomer.shell.type(try_it.removesuffix("; watch"))
        eventually(lambda: _processed(newcomer) >= 40)
        os.kill(serving.worker, signal.SIGKILL)
        result = json.loads(last(newcomer.shell.type("watch")))["job_run"]["result"]
    assert 40 <= result["resumed_from"] < 400
    assert result["imported"] == 400
    say(f"resumed from {result['resumed_from']} in attempt {result['attempt']}")


def _processed(newcomer: Newcomer) -> int:
    run: dict[str, Any] = json.loads(last(newcomer.shell.type('call "/v1/jobs/$RUN"')))["job_run"]
    return int((run["progress"] or {"processed": 0})["processed"])


def test_the_api_can_be_mounted(newcomer: Newcomer) -> None:
    (web_command,), (work_command,) = newcomer.lines("mounted", "Run it"), newcomer.lines("mounted", "And")
    with newcomer.started(web_command, "web") as web, newcomer.started(work_command, "work") as work:
        web.wait_for("startup complete")
        work.wait_for("enlisted")
        document = json.loads(newcomer.shell.type(*newcomer.lines("mounted", "Try it")))
        assert document["servers"] == [{"url": "/jobs-api"}]
        team, project, key = newcomer.shell.type("echo $TEAM $PROJECT $KEY").split()
        address, credential = f"http://127.0.0.1:{newcomer.uvicorn_port}/jobs-api/v1", {"Authorization": f"Bearer {key}"}
        with httpx.Client(base_url=address, headers=credential, timeout=10) as http:
            made = http.post(f"/teams/{team}/jobs/trigger", json={"job_type": "greet", "project_id": project}).json()["job_run"]
            eventually(lambda: "Hello, you!" in http.get(f"/jobs/{made['id']}").text)
