"""The secret that signs tokens."""

from __future__ import annotations

import multiprocessing
import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from tawny.access.secret import load_or_make_secret
from tawny.errors import SettingsError


def test_a_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    made = load_or_make_secret(tmp_path / "state", None)
    assert len(made) >= 32
    assert load_or_make_secret(tmp_path / "state", None) == made


def test_its_file_and_a_new_folder_are_for_the_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    load_or_make_secret(folder, None)
    assert stat.S_IMODE((folder / "secret").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in folder.iterdir()] == ["secret"]


def test_two_folders_have_two_secrets(tmp_path: Path) -> None:
    assert load_or_make_secret(tmp_path / "a", None) != load_or_make_secret(tmp_path / "b", None)


def test_a_configured_secret_wins_and_makes_no_file(tmp_path: Path) -> None:
    assert load_or_make_secret(tmp_path, SecretStr("é" * 16)) == "é".encode() * 16
    assert not list(tmp_path.iterdir())


def test_the_text_of_the_file_can_be_configured_on_another_machine(tmp_path: Path) -> None:
    made = load_or_make_secret(tmp_path, None)
    assert load_or_make_secret(tmp_path, SecretStr((tmp_path / "secret").read_text().strip())) == made


@pytest.mark.parametrize("weak", ["", "default", "x" * 31])
def test_a_short_configured_secret_is_refused_without_being_shown(tmp_path: Path, weak: str) -> None:
    with pytest.raises(SettingsError, match="TAWNY_SECRET") as refused:
        load_or_make_secret(tmp_path, SecretStr(weak))
    assert not weak or weak not in str(refused.value)


def test_a_damaged_file_is_refused_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "secret").touch(0o600)
    with pytest.raises(SettingsError, match="damaged"):
        load_or_make_secret(tmp_path, None)
    assert (tmp_path / "secret").read_bytes() == b""


def test_a_file_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    load_or_make_secret(tmp_path, None)
    (tmp_path / "secret").chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        load_or_make_secret(tmp_path, None)


def test_processes_that_start_at_once_get_one_secret(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    starting, answers = context.Barrier(4), context.Queue()

    def start() -> None:
        starting.wait(10)
        answers.put(load_or_make_secret(tmp_path, None))

    processes = [context.Process(target=start) for _ in range(4)]
    for process in processes:
        process.start()
    secrets = {answers.get(timeout=10) for _ in processes}
    for process in processes:
        process.join(10)
    assert secrets == {load_or_make_secret(tmp_path, None)}
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]
