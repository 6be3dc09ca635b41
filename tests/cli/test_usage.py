"""What every command has in common: one sentence for an error, the right exit code, a quick start."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.commands import tawny
from typer.main import get_command

from tawny import __version__, cli
from tawny.cli import root
from tawny.cli.overview import ENTRIES, overview

KEY = ("admin", "create-key", "--team", "01890000-0000-7000-8000-000000000000", "--permission", "jobs:read")


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command in this process, in an empty folder; returns its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TEST_DATABASE_URL", raising=False)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.run(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("serve", "--prot", "1"), "--port"),
        (("srve",), "Did you mean 'serve'?"),
        (("serve", "here"), "here"),
        (("serve", "--port", "http"), "--port"),
        (("serve", "--port", "70000"), "--port on the command line should be less than or equal to 65535."),
        (("work", "--concurrency", "0"), "--concurrency on the command line should be greater than or equal to 1."),
        (("admin", "create-team", "A"), "--owner"),
        (("admin", "create-team"), "name"),
        (("dev-revenuecat", "--latency", "quick"), "--latency: it should be milliseconds such as 50ms"),
        (("dev-revenuecat", "--fault", "fire"), "there is no fault 'fire'; there is server_error, "),
        (("dev-revenuecat", "--fault", "reset:often"), "'often' is not a probability such as 0.1."),
        (("dev-revenuecat", "--fault", "reset@here"), "there is no route 'here'; there is projects, "),
        (("admin", "create-project", "s", "--team", "mine"), "--team"),
        ((*KEY, "--expires-in", "soon"), "--expires-in: it should be a duration such as 30s, 5m, 1h or 2d."),
        ((*KEY, "--expires-in", "999999999999d"), "--expires-in"),
        (("admin", "add-member", "a@b.c", "--team", KEY[3], "--role", "king"), "a role is one of member, admin, owner."),
        (("admin", "run-system", "sweep"), "there is no job type 'sweep'"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_2(say: Any, arguments: tuple[str, ...], sentence: str) -> None:
    code, out, err = say(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("tawny: ")
    assert sentence in err
    assert err.count("\n") == 1


@pytest.mark.walk
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("serve", "--app", "nowhere:app"), 'The module "nowhere"'),
        (("work", "--app", "nowhere"), "module:attribute"),
        (("migrate", "--data-dir", "/proc/nowhere"), "/proc/nowhere"),
        (("serve", "--host", "no.such.host.invalid"), "is not an address of this machine"),
        (("serve", "--host", "192.0.2.1", "--port", "0"), "Cannot listen on 192.0.2.1"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_exit_code_1(tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    refused = tawny(tmp_path, *arguments)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert sentence in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.walk
def test_a_worker_for_unknown_job_types_does_not_start(tmp_path: Path) -> None:
    refused = tawny(tmp_path, "work", "--types", "code_census,sweep")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        "tawny: Invalid value for --types: there is no job type 'sweep'; the app has: code_census, self_check.\n"
    )


@pytest.mark.walk
@pytest.mark.parametrize("named", ["setting", "option"])
def test_the_app_is_the_one_that_is_named(tmp_path: Path, named: str) -> None:
    (tmp_path / "shop.py").write_text("from tawny import Run, Tawny\napp = Tawny()\n@app.job('ship')\ndef ship(run: Run): ...\n")
    options = ["--app", "shop:app"] if named == "option" else []
    refused = tawny(tmp_path, "work", "--types", "nothing", *options, TAWNY_APP="gone:app" if options else "shop:app")
    assert refused.returncode == 2
    assert refused.stderr == "tawny: Invalid value for --types: there is no job type 'nothing'; the app has: ship.\n"


@pytest.mark.walk
def test_an_unknown_setting_stops_every_command(tmp_path: Path) -> None:
    refused = tawny(tmp_path, "check", TAWNY_LEAS="15s")
    assert refused.returncode == 2
    assert refused.stderr == "tawny: The environment sets TAWNY_LEAS, which Tawny does not know; did you mean TAWNY_LEASE?\n"


@pytest.mark.walk
def test_a_database_that_is_away_is_one_sentence(tmp_path: Path) -> None:
    refused = tawny(tmp_path, "migrate", TAWNY_DATABASE_URL="postgresql://u:hunter2@127.0.0.1:1/db")
    assert refused.returncode == 1
    assert refused.stderr.startswith("tawny: The database cannot be reached: ")
    assert refused.stderr.count("\n") == 1
    assert "hunter2" not in refused.stderr


@pytest.mark.walk
@pytest.mark.parametrize("command", ["work", "migrate"])
def test_a_database_that_does_not_exist_is_one_sentence(tmp_path: Path, scratch_url: str, command: str) -> None:
    refused = tawny(tmp_path, command, TAWNY_DATABASE_URL=scratch_url.replace("tawny_scratch", "tawny_missing"))
    assert refused.returncode == 1
    assert re.fullmatch(r'tawny: The database cannot be reached: database "tawny_missing_\d+" does not exist\.\n', refused.stderr)


def test_version(say: Any) -> None:
    assert say("--version") == (0, f"tawny {__version__}\n", "")


HEAVY = ("pydantic", "asyncpg", "fastapi", "uvicorn", "structlog", "httpx", "rich", "tawny.access", "tawny.jobs", "tawny.db.pool")


@pytest.mark.parametrize(("arguments", "light"), [(["--help"], ("typer", "asyncio")), (["jobs", "--help"], ())])
def test_help_loads_nothing_heavy(arguments: list[str], light: tuple[str, ...]) -> None:
    code = (
        f"import json, sys, tawny.cli; tawny.cli.run({arguments!r});"
        f"print(json.dumps([name for name in {HEAVY + light!r} if name in sys.modules]), file=sys.stderr)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(loaded.stderr) == []


def test_the_overview_fits_a_terminal_and_names_every_command(say: Any) -> None:
    assert say("--help") == (0, overview(), "")
    assert say() == (2, "", overview())
    assert max(map(len, overview().splitlines())) <= 80
    assert all(f"\n  {name} " in overview() for name in ENTRIES)


@pytest.mark.parametrize(
    "group", [name for name, command in get_command(root.app).commands.items() if hasattr(command, "commands")]
)
def test_a_group_alone_shows_its_help(say: Any, group: str) -> None:
    code, out, err = say(group)
    assert (code, out) == (2, "")
    assert err == say(group, "--help")[1]
    assert max(map(len, err.splitlines())) <= 80


def commands() -> Iterator[Any]:
    groups = [get_command(root.app)]
    for group in groups:
        for command in getattr(group, "commands", {}).values():
            groups.append(command)
            if not hasattr(command, "commands"):
                yield pytest.param(command, id=command.callback.__module__.rpartition(".")[2] + "-" + command.name)


@pytest.mark.parametrize("command", list(commands()))
def test_every_command_says_where_it_works_and_explains_itself(command: Any) -> None:
    options = {name: parameter for parameter in command.params for name in parameter.opts}
    for_users = ".user." in command.callback.__module__
    for_developers = ".dev_" in command.callback.__module__
    assert for_developers or ("--profile" if for_users else "--data-dir") in options
    assert command.help
    assert "Example:" in command.help or not for_users
    assert all(getattr(option, "help", None) for name, option in options.items() if name.startswith("--") and not option.hidden)
    assert all(re.fullmatch(r"--[a-z-]+|[a-z_]+", name) for name in options)
