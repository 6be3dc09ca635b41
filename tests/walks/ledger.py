"""What handlers wrote about themselves, whatever the database says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.commands import PATIENCE
from tests.postgres import eventually

Fact = dict[str, Any]


class Ledger:
    """The file that `author.py` appends to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def facts(self, run_id: str, **wanted: Any) -> list[Fact]:
        """The facts about a run that have these values, in their order."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        facts = [fact for fact in map(json.loads, lines) if fact["run"] == run_id]
        return [fact for fact in facts if wanted.items() <= fact.items()]

    def wait_for(self, run_id: str, *, at_least: int = 1, seconds: float = PATIENCE, **wanted: Any) -> list[Fact]:
        eventually(lambda: len(self.facts(run_id, **wanted)) >= at_least, seconds)
        return self.facts(run_id, **wanted)
