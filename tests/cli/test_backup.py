"""`tawny admin backup` and `restore` on a PostgreSQL server of one's own, and what they refuse."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.commands import tawny

from tawny.access import Actor, create_team
from tawny.cli import backup
from tawny.db.pool import Connection, connect

pytestmark = pytest.mark.slow


@pytest.fixture
async def file(tmp_path: Path, database_url: str, conn: Connection) -> Path:
    """A backup of a database with one team."""
    await create_team(conn, Actor.host(), name="Acme", owner_email="ada@example.com")
    file = tmp_path / "tawny.backup"
    done = tawny(tmp_path, "admin", "backup", str(file), TAWNY_DATABASE_URL=database_url)
    assert (done.returncode, done.stderr) == (0, "")
    return file


async def teams(url: str) -> list[str]:
    conn = await connect(url)
    try:
        return [row["name"] for row in await conn.fetch("select name from teams")]
    finally:
        await conn.close()


async def test_an_empty_database_has_all_of_it_again(tmp_path: Path, file: Path, scratch_url: str) -> None:
    done = tawny(tmp_path, "admin", "restore", str(file), TAWNY_DATABASE_URL=scratch_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Restored. Next: `tawny serve`" in done.stdout
    assert await teams(scratch_url) == ["Acme"]


@pytest.fixture
async def tenants_url(server_url: str, scratch_url: str) -> AsyncIterator[str]:
    """An empty database that belongs to a role which may do nothing else."""
    role, name = f"tenant_{os.getpid()}", urlsplit(scratch_url).path.strip("/")
    host = await connect(server_url)
    await host.execute(f'create role {role} login; alter database "{name}" owner to {role}')
    yield scratch_url.replace("//tawny@", f"//{role}@")
    inside = await connect(scratch_url)
    await inside.execute(f'alter database "{name}" owner to current_user; drop owned by {role}; drop role {role}')
    await inside.close()
    await host.close()


async def test_whoever_may_only_make_tables_can_restore(tmp_path: Path, file: Path, tenants_url: str) -> None:
    """As on a managed server."""
    done = tawny(tmp_path, "admin", "restore", str(file), TAWNY_DATABASE_URL=tenants_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert await teams(tenants_url) == ["Acme"]


async def test_only_its_owner_can_read_it_and_nothing_else_is_left(tmp_path: Path, file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.glob("*backup*")) == [file]


async def test_what_is_there_is_never_written_over(tmp_path: Path, file: Path, database_url: str) -> None:
    kept = file.read_bytes()
    done = tawny(tmp_path, "admin", "backup", str(file), TAWNY_DATABASE_URL=database_url)
    assert (done.returncode, done.stderr) == (1, f"tawny: {file} is there already: give another name, or move it away.\n")
    assert file.read_bytes() == kept


async def test_a_database_that_is_in_use_is_left_alone(tmp_path: Path, file: Path, database_url: str) -> None:
    done = tawny(tmp_path, "admin", "restore", str(file), TAWNY_DATABASE_URL=database_url)
    assert done.returncode == 1
    assert "This database holds a Tawny already, and restoring never deletes" in done.stderr
    assert await teams(database_url) == ["Acme"]


async def test_a_file_that_is_no_backup_leaves_the_database_empty(tmp_path: Path, file: Path, scratch_url: str) -> None:
    whole = file.read_bytes()
    for name, content in {"text": b"hello\n", "half": whole[: len(whole) // 2], "nothing": b""}.items():
        wrong = tmp_path / name
        wrong.write_bytes(content)
        done = tawny(tmp_path, "admin", "restore", str(wrong), TAWNY_DATABASE_URL=scratch_url)
        assert done.returncode == 1, name
        assert done.stderr.startswith("tawny: PostgreSQL's pg_restore could not do it: "), name
        assert "Traceback" not in done.stderr
    done = tawny(tmp_path, "admin", "restore", str(file), TAWNY_DATABASE_URL=scratch_url)
    assert done.returncode == 0, done.stderr


async def test_where_nothing_can_be_written_one_sentence_says_so(tmp_path: Path, database_url: str) -> None:
    done = tawny(tmp_path, "admin", "backup", "no/such/folder/file", TAWNY_DATABASE_URL=database_url)
    assert (done.returncode, done.stderr) == (1, "tawny: no/such/folder/file cannot be written: No such file or directory.\n")


async def test_a_database_that_is_away_leaves_no_file(tmp_path: Path) -> None:
    done = tawny(tmp_path, "admin", "backup", "file", TAWNY_DATABASE_URL="postgresql://u:hunter2@127.0.0.1:9/tawny")
    assert done.returncode == 1
    assert "Connection refused" in done.stderr
    assert "hunter2" not in done.stderr
    assert list(tmp_path.glob("*file*")) == []


@pytest.mark.parametrize(
    ("url", "address", "password"),
    [
        ("postgresql://u:p%40ss@host:5432/tawny", "postgresql://u@host:5432/tawny", "p@ss"),
        ("postgresql://u@host/tawny?sslmode=require", "postgresql://u@host/tawny?sslmode=require", None),
        ("postgresql://tawny@/tawny?host=%2Frun%2Fx&port=5432", "postgresql://tawny@/tawny?host=%2Frun%2Fx&port=5432", None),
    ],
)
def test_no_command_line_shows_a_password(monkeypatch: pytest.MonkeyPatch, url: str, address: str, password: str | None) -> None:
    monkeypatch.setenv("PGPASSWORD", "of somebody else")
    found, environment = backup._without_password(url)
    assert (found, environment.get("PGPASSWORD")) == (address, password)
