"""The ledger: what handlers, clients and the harness saw themselves, whatever the database says.

One line per fact, appended by one write, with the time on a clock that all processes of the machine share.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from time import monotonic
from typing import Any

Fact = dict[str, Any]


def write(path: str, what: str, **more: Any) -> None:
    """Append one fact."""
    line = json.dumps({"what": what, "at": monotonic(), **more}).encode() + b"\n"
    ledger = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(ledger, line)
    finally:
        os.close(ledger)


class Ledger:
    """The ledger of one scenario."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def note(self, what: str, **more: Any) -> None:
        write(str(self.path), what, **more)

    def facts(self) -> list[Fact]:
        """All facts, in the order of their times. A process may have been killed while it wrote the last of its lines."""
        facts = [fact for line in self.path.read_text().splitlines() if (fact := _read(line)) is not None]
        return sorted(facts, key=lambda fact: fact["at"])


def _read(line: str) -> Fact | None:
    try:
        fact: Fact = json.loads(line)
    except ValueError:
        return None
    return fact
