"""A server and workers whose database is behind PgBouncer, configured as the guide shows, but with few servers."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from pathlib import Path
from time import monotonic

import pytest
from tests.commands import tawny
from tests.pgbouncer import pooled
from tests.postgres import temporary_server
from tests.walks.caller import Caller
from tests.walks.house import LEASE, House

pytestmark = pytest.mark.walk

GUIDE = Path(__file__).parents[2] / "docs/guides/scaling.md"


def shown_in_the_guide() -> dict[str, str]:
    """The configuration, but where it listens and for whom, and how many servers there are."""
    shown = re.search(r"^```ini pgbouncer.ini\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert shown
    parser = ConfigParser()
    parser.read_string(shown[1])
    ours = {name: value for name, value in parser["pgbouncer"].items() if not name.startswith(("listen_", "auth_"))}
    assert ours.pop("default_pool_size")
    return ours


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with temporary_server() as server, pooled(server, **shown_in_the_guide()) as url:
        yield House(tmp_path_factory.mktemp("house"), TAWNY_DATABASE_URL=url)


def test_runs_complete_are_cancelled_and_outlive_their_worker(house: House, say: Callable[[str], None]) -> None:
    with house.serve("--no-worker") as serving, house.work("one") as one, house.work("two") as two:
        workers = {worker.wait_for("enlisted").process.pid for worker in (one, two)}
        with Caller.greeted_by(serving.wait_until_up(worker=False)) as caller:
            triggered = monotonic()
            made = [caller.trigger(f"neighbour_{number}", count=3) for number in range(3)]
            made += [caller.trigger("short", number=number) for number in range(3)]  # in processes of their own
            assert {caller.ended(run_id)["status"] for run_id in made} == {"completed"}
            say(f"through PgBouncer six runs took {monotonic() - triggered:.2f} s")

            cancelled = caller.trigger("steps", count=10_000)
            house.ledger.wait_for(cancelled, what="stepped")
            caller.cancel(cancelled)
            assert caller.ended(cancelled)["status"] == "cancelled"

            outlived = caller.trigger("steps", count=40)
            first = house.ledger.wait_for(outlived, what="stepped", at_least=5)[0]
            killed = monotonic()
            os.kill(first["pid"], signal.SIGKILL)
            second = house.ledger.wait_for(outlived, what="started", at_least=2)[1]
            say(f"a killed worker's run went on after {second['at'] - killed:.2f} s, with a lease of {LEASE} s")
            assert second["pid"] in workers - {first["pid"]}
            assert caller.ended(outlived)["result"] == {"attempt": second["attempt"], "steps": 40}


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("migrate",), "up to date"),
        (("check",), "schema up to date"),
        (("admin", "create-team", "Acme", "--owner", "ada@example.com"), "Made the team"),
    ],
)
def test_commands_work_too(house: House, command: tuple[str, ...], said: str) -> None:
    done = tawny(house.folder / "serve", *command, **house.settings)
    assert done.returncode == 0, done.stdout + done.stderr
    assert said in done.stdout
