"""`tawny serve --reload`: what an author edits is what runs next."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.commands import PATIENCE, Serving
from tests.postgres import alive, eventually
from tests.walks.caller import Caller

pytestmark = pytest.mark.walk

APP = """
import asyncio
from tawny import Run, Tawny

app = Tawny()

@app.job("answer")
async def answer(run: Run) -> dict:
    {body}
"""


class Author:
    """Somebody who edits the app beside the server that serves it."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "mine.py"
        self.write("return {'answer': 1}")
        self.serving = Serving(folder, "--port", "0", "--app", "mine:app", "--reload")

    def write(self, body: str) -> None:
        self._file.write_text(APP.format(body=body))

    def wait_until_up(self, times: int) -> None:
        """Wait until the server has come up so often, its worker too."""
        for said in ("Ctrl-C stops the server.", '"enlisted"'):
            eventually(lambda said=said: (self.serving.out + self.serving.err).count(said) >= times, PATIENCE)
        self.serving.look_at_family()


@pytest.fixture
def author(tmp_path: Path) -> Iterator[Author]:
    author = Author(tmp_path)
    with author.serving:
        author.wait_until_up(1)
        yield author


def test_the_next_run_does_what_was_just_written(author: Author) -> None:
    serving = author.serving
    with Caller.greeted_by(serving) as caller:
        assert caller.ended(caller.trigger("answer"))["result"] == {"answer": 1}
        for name in ("notes.txt", ".venv/other.py", "__pycache__/other.py", ".tawny/other.py"):
            (serving.folder / name).parent.mkdir(exist_ok=True)
            (serving.folder / name).write_text("ignored")
        author.write("return {'answer': 2}")
        author.wait_until_up(2)
        assert caller.ended(caller.trigger("answer"))["result"] == {"answer": 2}
    assert serving.err.count("the code has changed") == serving.err.count('"files": ["mine.py"]') == 1
    addresses = [line for line in serving.out.splitlines() if line.startswith("Tawny listens on")]
    assert len(addresses) == 2
    assert len(set(addresses)) == 1


def test_a_broken_file_stops_the_server_until_it_is_mended(author: Author) -> None:
    serving = author.serving
    with Caller.greeted_by(serving) as caller:
        author.write("return {")
        serving.wait_for('The module "mine" of the app has a syntax error')
        serving.wait_for("the server has ended and starts again at the next change")
        with pytest.raises(httpx.ConnectError):
            caller.trigger("answer")
        author.write("return {'answer': 3}")
        author.wait_until_up(2)
        assert caller.ended(caller.trigger("answer"))["result"] == {"answer": 3}
    assert serving.err.count("the server has ended") == 1


def test_a_run_under_way_is_given_back_without_a_charge(author: Author) -> None:
    with Caller.greeted_by(author.serving) as caller:
        author.write("await asyncio.Event().wait()")
        author.wait_until_up(2)
        run_id = caller.trigger("answer")
        caller.sees(run_id, lambda run: run["status"] == "running")
        author.write("return {'attempt': run.attempt}")
        author.wait_until_up(3)
        assert caller.ended(run_id)["result"] == {"attempt": 2}


def test_ctrl_c_stops_both_and_leaves_nothing(author: Author) -> None:
    serving = author.serving
    serving.press_ctrl_c()
    assert serving.ended() == 0
    assert serving.has_left_nothing()
    assert "Traceback" not in serving.out + serving.err


def test_ctrl_c_while_the_file_is_broken_ends_it(author: Author) -> None:
    author.write("return {")
    author.serving.wait_for("the server has ended and starts again at the next change")
    author.serving.press_ctrl_c()
    assert author.serving.ended() == 0
    assert author.serving.has_left_nothing()


def test_kill_9_of_the_watcher_leaves_nothing(author: Author) -> None:
    serving = author.serving
    assert sum(map(alive, serving.pids)) > 2
    serving.process.kill()
    serving.ended()
    eventually(serving.has_left_nothing, 10)


def test_a_taken_port_is_refused_at_once(author: Author) -> None:
    port = str(httpx.URL(author.serving.address).port)
    with Serving(author.serving.folder / "second", "--port", port, "--reload") as second:
        assert second.ended() == 1
        assert second.err.startswith("tawny: Cannot listen on 127.0.0.1, port ")
        assert second.err.count("\n") == 1
