"""The figures of the guide on reliability, written from what `scripts/chaos --json` printed: `python -m tests.chaos.page`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.chaos import forgeries
from tests.chaos.mutants import MUTANTS
from tests.chaos.processes import ROOT

GUIDE = ROOT / "docs/guides/reliability.md"
LINES = ROOT / "docs/guides/reliability.jsonl"
HUNTED = ROOT / "docs/guides/mutants.json"

Line = dict[str, Any]


def lines() -> list[Line]:
    """What was printed. The scenarios of a seed may be in several lines."""
    return [json.loads(line) for line in LINES.read_text().splitlines()]


def caught() -> dict[str, list[str]]:
    """Which invariants each mutant broke; "0" is the unchanged copy."""
    hunted: dict[str, list[str]] = json.loads(HUNTED.read_text())["caught"]
    return hunted


def written(page: str) -> str:
    """The page, with its tables made anew."""
    for name, rows in (("figures", figures(lines())), ("forgeries", forgeries.rows()), ("mutants", mutants())):
        page = re.sub(rf"<!-- {name} -->.*<!-- /{name} -->", _marked(name, list(rows)), page, flags=re.DOTALL)
    return page


def _marked(name: str, rows: list[str]) -> str:
    return "\n".join([f"<!-- {name} -->", *rows, f"<!-- /{name} -->"])


_COUNTED = {
    "acked": "triggers that were acknowledged",
    "kills": "processes killed with `kill -9`",
    "stops": "processes stopped for longer than their lease",
    "restarts": "restarts and crashes of the database",
    "freezes": "connections frozen for longer than the lease",
    "dropped": "replies lost on their way",
    "terms": "workers told to stop",
    "lost": "runs lost, never ended, or cancels not kept",
    "phantom": "runs that nobody asked for, or asked for once and made twice",
    "double_terminal": "runs that ended twice, or were changed by an attempt that was over",
    "overlap": "moments with two runs in one slot",
    "zombie_steps": "steps of an attempt after a later one had started",
    "stale_accepted": "writes of lost attempts that were accepted",
    "stale_refused": "writes of lost attempts that were refused",
    "ticks": "due times of schedules",
    "ticks_wrong": "due times that were left out, decided twice, or late while the database was up",
    "mails": "runs of which a mail came, of those that had asked for one",
    "mails_lost": "runs of which none came",
    "mails_again": "mails that came a second time, each after a try of which nobody knew how it had ended",
    "deadlocks": "deadlocks",
}

_TIMED = {
    "recover_up": ("C1", "killed worker to its run's next start, database up"),
    "recover": ("C1", "the same, whether the database was up or not"),
    "resume": ("C4", "database up again to the next start of a run"),
    "detect": ("C5", "frozen connection to giving it up"),
    "given_back": ("C9", "worker told to stop to its run's next start elsewhere"),
    "trigger": ("C1", "answer to a trigger, while all this goes on"),
    "conflict": ("C1", "answer 409"),
    "tick_late": ("C6", "due time of a schedule to its decision, database up"),
}


def figures(all_lines: list[Line]) -> Iterator[str]:
    """Counts of all seeds added up, and of times the median of the seeds' medians and the worst of all."""
    seeds = sorted({line["seed"] for line in all_lines})
    yield f"| in {len(seeds)} runs with the seeds {', '.join(map(str, seeds))} | |"
    yield "|---|---:|"
    for name, meaning in _COUNTED.items():
        yield f"| {meaning} | {sum(line.get(name, 0) for line in all_lines):,} |"
    yield ""
    yield "| seconds | median | 99 of 100 | worst |"
    yield "|---|---:|---:|---:|"
    for name, (scenario, meaning) in _TIMED.items():
        found = [line["scenarios"][scenario][name] for line in all_lines if scenario in line["scenarios"]]
        yield f"| {meaning} ({scenario}) | {_middle(found, 'p50')} | {_worst(found, 'p99')} | {_worst(found, 'max')} |"


def _middle(found: list[dict[str, float]], name: str) -> str:
    values = sorted(one[name] for one in found if name in one)
    return f"{values[len(values) // 2]:.2f}" if values else "none"


def _worst(found: list[dict[str, float]], name: str) -> str:
    values = [one[name] for one in found if name in one]
    return f"{max(values):.2f}" if values else "none"


def mutants() -> Iterator[str]:
    broke = caught()
    yield "| | in the copy of the source | broke |"
    yield "|---:|---|---|"
    yield f"| | nothing was changed | {', '.join(broke['0']) or 'nothing'} |"
    for number, mutant in MUTANTS.items():
        yield f"| {number} | {mutant.title} | {', '.join(broke[str(number)]) or 'nothing'} |"


if __name__ == "__main__":
    Path(GUIDE).write_text(written(GUIDE.read_text()))
