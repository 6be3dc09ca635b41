"""Whole processes of an author's app on one database."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.commands import Serving
from tests.walks.ledger import Ledger

LEASE = 2.0
DRAIN = 0.2


class House:
    """Processes of the author's app on one database, embedded unless another is given, all writing into one ledger."""

    def __init__(self, folder: Path, author: str = "author", **settings: str) -> None:
        self.folder = folder
        self.ledger = Ledger(folder / "ledger")
        self.state = folder / "serve" / ".tawny"
        self._author = author
        self.settings = settings

    def serve(self, *arguments: str) -> Serving:
        return self._start("serve", "serve", "--port", "0", *arguments)

    def work(self, name: str, *arguments: str) -> Serving:
        return self._start(name, "work", "--data-dir", str(self.state), *arguments)

    def _start(self, name: str, command: str, *arguments: str) -> Serving:
        place = self.folder / name
        place.mkdir(exist_ok=True)
        for file in {self._author, "author"}:
            shutil.copy(Path(__file__).with_name(f"{file}.py"), place)
        settings = {"TAWNY_LEASE": f"{LEASE}s", "TAWNY_DRAIN": f"{DRAIN}s", "LEDGER": str(self.ledger.path)}
        settings |= self.settings
        return Serving(place, "--app", f"{self._author}:app", *arguments, command=command, **settings)
