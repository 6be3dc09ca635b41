"""`tawny check`: what it shows, and what it finds wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.commands import tawny

from tawny.config import Settings
from tawny.db.pool import Connection

pytestmark = pytest.mark.walk


def test_before_the_first_start_all_is_well_and_nothing_is_made(tmp_path: Path) -> None:
    checked = tawny(tmp_path, "check")
    assert checked.returncode == 0
    assert "ok   database: embedded, made at the first start" in checked.stdout
    assert "code_census" in checked.stdout
    assert "tawny serve" in checked.stdout
    assert list(tmp_path.iterdir()) == []


def test_every_setting_is_shown_with_its_source_and_no_secret(tmp_path: Path, database_url: str) -> None:
    (tmp_path / "tawny.toml").write_text('lease = "20s"')
    url = f"{database_url}&password=hunter2" if "?" in database_url else f"{database_url}?password=hunter2"
    checked = tawny(tmp_path, "check", TAWNY_DATABASE_URL=url, TAWNY_SECRET="hunter2" * 5)
    assert checked.returncode == 0
    assert "hunter2" not in checked.stdout + checked.stderr
    lines = {line.split()[0]: line for line in checked.stdout.splitlines() if line}
    assert set(Settings.model_fields) <= set(lines)
    assert lines["lease"].endswith("20s  (tawny.toml)")
    assert lines["secret"].endswith("****  (environment)")
    assert lines["drain"].endswith("10s  (default)")


async def test_it_sees_the_version_and_the_schema(tmp_path: Path, database_url: str, conn: Connection) -> None:
    checked = tawny(tmp_path, "check", TAWNY_DATABASE_URL=database_url)
    assert checked.returncode == 0
    assert "ok   database: PostgreSQL " in checked.stdout
    assert "ok   encryption keys: made at the first start" in checked.stdout
    assert "ok   credentials: " in checked.stdout
    assert "schema up to date" in checked.stdout


def test_everything_that_is_wrong_is_found_at_once(tmp_path: Path, scratch_url: str) -> None:
    (tmp_path / "closed").write_text("a file, not a folder")
    settings = {"TAWNY_DATABASE_URL": scratch_url, "TAWNY_ENCRYPTION_KEYS": "hunter2"}
    checked = tawny(tmp_path, "check", "--app", "nowhere:app", "--data-dir", "closed", **settings)
    assert checked.returncode == 1
    assert "BAD  encryption keys: TAWNY_ENCRYPTION_KEYS should hold keys of 32 bytes" in checked.stdout
    assert "hunter2" not in checked.stdout + checked.stderr
    assert "BAD  app: " in checked.stdout
    assert "BAD  state folder: " in checked.stdout
    assert "BAD  database: The database has an older schema" in checked.stdout
