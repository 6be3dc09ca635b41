"""Processes die, and the next start finds everything that was committed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from tests.postgres import OwnerProcess, alive, eventually, neighbour, postmaster

from tawny.db import embedded
from tawny.db.embedded import become, lock
from tawny.db.embedded.binaries import find_binaries
from tawny.db.embedded.place import Place
from tawny.db.embedded.probe import accepts_connections

pytestmark = pytest.mark.walk


async def _commit(url: str, n: int) -> None:
    conn = await asyncpg.connect(url)
    await conn.execute("create table if not exists kept (n int)")
    await conn.execute("insert into kept values ($1)", n)
    conn.terminate()


async def _kept(url: str) -> list[int]:
    conn = await asyncpg.connect(url)
    rows = await conn.fetch("select n from kept order by n")
    await conn.close()
    return [row["n"] for row in rows]


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    """One state folder for all of these tests; each empties its table first."""
    with tempfile.TemporaryDirectory(prefix="tawny-test-") as folder:
        yield Path(folder) / "state"


@pytest.fixture
def owner(state: Path) -> Iterator[OwnerProcess]:
    """A process that owns the database, in which the row 1 has just been committed, alone."""
    with OwnerProcess(state) as process:
        url = process.wait_until_ready()
        asyncio.run(_empty(url))
        asyncio.run(_commit(url, 1))
        yield process


async def _empty(url: str) -> None:
    conn = await asyncpg.connect(url)
    await conn.execute("drop table if exists kept")
    await conn.close()


def test_postgres_ends_when_its_owner_is_killed_and_the_next_start_has_every_row(owner: OwnerProcess) -> None:
    postgres = owner.postgres()
    owner.kill()
    eventually(lambda: not alive(postgres))
    with embedded.own(owner.data_dir) as owned:
        assert asyncio.run(_kept(owned.url)) == [1]


def test_a_killed_owner_leaves_a_clean_shutdown(owner: OwnerProcess) -> None:
    postgres = owner.postgres()
    owner.kill()
    eventually(lambda: not alive(postgres))
    assert (owner.data_dir / "postgres.log").read_text().splitlines()[-1].endswith("database system is shut down")


def test_a_start_right_after_the_kill_waits_for_the_old_postgres_to_end(
    owner: OwnerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres = owner.postgres()
    os.kill(postgres, signal.SIGSTOP)
    owner.kill()
    monkeypatch.setattr(lock, "sleep", lambda _: os.kill(postgres, signal.SIGCONT) if alive(postgres) else None)
    with embedded.own(owner.data_dir) as owned:
        assert not alive(postgres)
        assert asyncio.run(_kept(owned.url)) == [1]


def test_an_old_postgres_that_does_not_end_is_said(owner: OwnerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    postgres = owner.postgres()
    os.kill(postgres, signal.SIGSTOP)
    owner.kill()
    monkeypatch.setattr(lock, "_SHUTDOWN_LIMIT", 0.05)
    try:
        words = f"database of process {owner.process.pid} in .* still shutting down"
        with pytest.raises(embedded.FolderInUse, match=words), embedded.own(owner.data_dir):
            pass
    finally:
        os.kill(postgres, signal.SIGCONT)
    eventually(lambda: not alive(postgres))


def test_a_process_that_reuses_the_pid_of_a_dead_owner_is_not_taken_for_it(
    owner: OwnerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres = owner.postgres()
    os.kill(postgres, signal.SIGSTOP)
    owner.kill()
    signed = (owner.data_dir / "lock").read_text().split()
    (owner.data_dir / "lock").write_text(" ".join([str(os.getppid()), *signed[1:]]))
    monkeypatch.setattr(lock, "sleep", lambda _: os.kill(postgres, signal.SIGCONT) if alive(postgres) else None)
    with embedded.own(owner.data_dir) as owned:
        assert asyncio.run(_kept(owned.url)) == [1]


def test_every_row_is_there_after_all_processes_were_killed_at_once(owner: OwnerProcess) -> None:
    postgres = owner.postgres()
    os.kill(postgres, signal.SIGKILL)
    owner.kill()
    assert (owner.data_dir / "postgres/data/postmaster.pid").exists()
    with embedded.own(owner.data_dir) as owned:
        assert asyncio.run(_kept(owned.url)) == [1]
    assert "automatic recovery in progress" in (owner.data_dir / "postgres.log").read_text()


@pytest.mark.parametrize("left", ["data/postmaster.pid", "socket/.s.PGSQL.5432.lock"])
def test_a_pid_file_left_by_a_crash_whose_pid_is_in_use_again_does_not_stop_the_start(owner: OwnerProcess, left: str) -> None:
    os.kill(owner.postgres(), signal.SIGKILL)
    owner.kill()
    file = owner.data_dir / "postgres" / left
    _, _, rest = file.read_text().partition("\n")
    with neighbour(owner.data_dir) as pid:
        file.write_text(f"{pid}\n{rest}")
        with embedded.own(owner.data_dir) as owned:
            assert asyncio.run(_kept(owned.url)) == [1]


def test_a_postgres_that_ends_by_itself_is_started_again_at_the_same_address(state: Path) -> None:
    with embedded.own(state) as owned:
        asyncio.run(_empty(owned.url))
        asyncio.run(_commit(owned.url, 2))
        assert owned.tend() is False
        killed = postmaster(state)
        os.kill(killed, signal.SIGKILL)
        eventually(lambda: _tended(owned, state))
        assert postmaster(state) != killed
        assert asyncio.run(_kept(owned.url)) == [2]


def _tended(owned: embedded.Owned, state: Path) -> bool:
    """PostgreSQL may refuse its first new start while processes of the old one are still ending: so it is tended again."""
    owned.tend()
    return accepts_connections(Place(state).socket)


def test_a_first_start_that_was_killed_is_made_again(tmp_path: Path) -> None:
    stuck, began = tmp_path / "bin", tmp_path / "began"
    stuck.mkdir()
    began.touch()
    began.chmod(0o666)
    (stuck / "initdb").write_text(
        f'#!/bin/sh\n"{find_binaries()}/initdb" "$@"\necho $$ > "{began}"\nwhile :; do sleep 0.02; done\n'
    )
    (stuck / "initdb").chmod(0o755)
    state = tmp_path / "state"
    with OwnerProcess(state, first=_with_binaries(stuck)) as process:
        eventually(lambda: began.read_text() != "")
        initdb = int(began.read_text())
        process.kill()
    eventually(lambda: not alive(initdb))
    assert (state / "postgres/data.unfinished/PG_VERSION").exists()
    with embedded.own(state) as owned:
        asyncio.run(_commit(owned.url, 3))
        assert asyncio.run(_kept(owned.url)) == [3]


def _with_binaries(folder: Path) -> str:
    return f"import tawny.db.embedded.own\nsys.modules['tawny.db.embedded.own'].find_binaries = lambda: Path({str(folder)!r})"


def test_a_program_whose_parent_died_before_it_could_ask_for_the_signal_does_not_start() -> None:
    arguments = [str(os.getpid() + 1), str(int(signal.SIGINT)), "-1", "-1", "/bin/echo", "started"]
    done = subprocess.run([sys.executable, "-I", "-S", become.__file__, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stdout == ""
    assert "has died" in done.stderr


def test_a_joiner_of_a_killed_owner_finds_the_next_one_at_the_same_address(owner: OwnerProcess) -> None:
    url = embedded.join(owner.data_dir)
    owner.kill()
    with OwnerProcess(owner.data_dir):
        assert embedded.join(owner.data_dir) == url
