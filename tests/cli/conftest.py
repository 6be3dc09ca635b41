"""Somebody at a command line in this process, beside a served app."""

from __future__ import annotations

import asyncio
import io
import json
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs
from tests.postgres import eventually

from api.world import World, serve
from tawny import cli
from tawny.cli.user import show
from tawny.db.pool import Connection


@dataclass
class Said:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)

    def refused(self, code: int, *parts: str) -> None:
        """It said no in one sentence on stderr, with this exit code."""
        assert (self.code, self.out) == (code, ""), self
        assert self.err.startswith("tawny: ")
        assert self.err.count("\n") == 1
        assert all(part in self.err for part in parts), self.err


class Typed(io.StringIO):
    """What somebody types."""

    def isatty(self) -> bool:
        return True


class Person:
    """Runs commands as they are typed; `typed` makes it a terminal at which these lines are typed."""

    def __init__(self, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch, config: Path) -> None:
        self._capsys = capsys
        self._patch = patch
        self.file = config / "tawny" / "profiles.json"

    def __call__(self, *arguments: str, typed: str | None = None) -> Said:
        with self._patch.context() as patch:
            patch.setattr(sys, "stdin", io.StringIO() if typed is None else Typed(typed))
            patch.setattr(show, "interactive", lambda: typed is not None)
            code = cli.run(arguments)
        captured = self._capsys.readouterr()
        return Said(code, captured.out, captured.err)

    async def meanwhile(self, *arguments: str) -> Said:
        """Run a command in a thread, so that the test can go on."""
        return await asyncio.to_thread(self, *arguments)

    @property
    def profiles(self) -> Any:
        return json.loads(self.file.read_text())


@pytest.fixture
def person(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Person:
    """Somebody who is not signed in."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("TAWNY_URL", "TAWNY_API_KEY", "TAWNY_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    return Person(capsys, monkeypatch, tmp_path / "config")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def served(database_url: str, state: Path) -> Iterator[Any]:
    with capture_logs(), serve(database_url, state) as served:  # its log is not what the command says
        yield served


@pytest.fixture
async def world(served: Any, conn: Connection) -> AsyncIterator[World]:
    async with httpx.AsyncClient(base_url=served.url, timeout=20, verify=False, trust_env=False) as http:
        yield await World(served, conn, http).settle()


@pytest.fixture
def code_for(state: Path) -> Callable[[str], str]:
    """The code that was mailed to an address, which may still be on its way. The mail is thrown away."""

    def next_code(email: str) -> str:
        def found() -> list[Path]:
            return [mail for mail in (state / "outbox").glob("*.eml") if f"To: {email}" in mail.read_text()]

        eventually(lambda: bool(found()))
        (mail,) = found()
        subject = re.search(r"Subject: (\d{6})", mail.read_text())
        mail.unlink()
        assert subject
        return subject[1]

    return next_code


@pytest.fixture
def script(person: Person, world: World, monkeypatch: pytest.MonkeyPatch) -> Person:
    """Somebody whose environment says where and as whom: the world's key."""
    monkeypatch.setenv("TAWNY_URL", world.served.url)
    monkeypatch.setenv("TAWNY_API_KEY", world.key)
    return person
