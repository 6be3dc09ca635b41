"""`scripts/chaos`: break Tawny on purpose, and judge what became of the runs."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import uvloop
from tests.chaos.mutants import MUTANTS, source_of
from tests.chaos.plan import Change, Scenario
from tests.chaos.report import line_of, say_outcome
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.stage import Outcome, perform


def main() -> int:
    options = _options()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)  # so that everything is taken down, also where a shell has it ignored
    if options.mutants is not None:
        return _hunt(options)
    scenarios = [SCENARIOS[name] for name in options.scenario]
    share = 1.0 if options.seconds is None else options.seconds / sum(scenario.seconds for scenario in scenarios)
    _say(f"seed {options.seed}: {', '.join(options.scenario)}")
    outcomes = [_perform(scenario, options, scenario.seconds * share) for scenario in scenarios if _can(scenario, options)]
    if options.json:
        print(json.dumps(line_of(options.seed, outcomes)))
    broken = [outcome.scenario.name for outcome in outcomes if outcome.broken]
    _say(f"seed {options.seed}: {'broken promises in ' + ', '.join(broken) if broken else 'every promise was kept'}")
    return 1 if broken else 0


def _hunt(options: argparse.Namespace) -> int:
    """The unchanged copy has to pass, and each mutant has to be caught."""
    caught: dict[str, list[str]] = {"0": []}
    mutants = [MUTANTS[number] for number in options.mutants]
    for scenario in {mutant.scenario.name: mutant.scenario for mutant in mutants}.values():
        _say("the unchanged copy")
        if _perform(scenario, options, scenario.seconds).broken:
            _say("the unchanged copy fails: there is nothing to compare mutants with")
            return 1
    for mutant in mutants:
        _say(f"mutant {mutant.number}: {mutant.title}")
        outcome = _perform(mutant.scenario, options, mutant.scenario.seconds, mutant.changes)
        broken = set(outcome.broken) - {"I13"}
        caught[str(mutant.number)] = sorted(broken, key=lambda name: int(name[1:]))
    missed = [number for number in options.mutants if not MUTANTS[number].expected & set(caught[str(number)])]
    if options.json:
        print(json.dumps({"seed": options.seed, "missed": missed, "caught": caught}))
    _say(f"missed: {', '.join(map(str, missed))}" if missed else f"all {len(options.mutants)} mutants were caught")
    return 1 if missed else 0


def _can(scenario: Scenario, options: argparse.Namespace) -> bool:
    if scenario.embedded and options.pooler:
        _say(f"{scenario.name} is left out: it is about the embedded database")
        return False
    if scenario.disk and os.geteuid() != 0:
        _say(f"{scenario.name} is left out: only root can mount the small disk that it fills")
        return False
    return True


def _perform(scenario: Scenario, options: argparse.Namespace, seconds: float, changes: tuple[Change, ...] = ()) -> Outcome:
    _say(f"{scenario.name}: {scenario.title} ({seconds:.0f} s)")
    folder = Path(tempfile.mkdtemp(prefix=f"tawny-chaos-{scenario.name}-"))
    try:
        with _source(*scenario.changes, *changes) as source:
            outcome = uvloop.run(perform(scenario, options.seed, seconds, folder, source=source, pooler=options.pooler))
    finally:
        if options.keep:
            _say(f"  everything it left is in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    say_outcome(outcome, _say)
    return outcome


def _source(*changes: Change) -> AbstractContextManager[Path | None]:
    """Where the package is that is tested: a changed copy, or else the one that everything is run from."""
    return source_of(*changes) if changes else nullcontext()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/chaos", description=__doc__)
    parser.add_argument(
        "--seed", type=int, default=None, help="the same seed breaks the same things at the same times; drawn unless given"
    )
    parser.add_argument("--scenario", type=_names, default=list(SCENARIOS), help="such as C1,C3; all of them unless given")
    parser.add_argument("--seconds", type=float, help="how long faults go on in all scenarios together, instead of the full time")
    parser.add_argument(
        "--mutants",
        type=_numbers,
        nargs="?",
        const=list(MUTANTS),
        help="hunt bugs that are put into a copy of the source on purpose: such as 1,3, or all of them",
    )
    parser.add_argument("--pooler", action="store_true", help="with PgBouncer before the database, and without NOTIFY")
    parser.add_argument("--json", action="store_true", help="print one line of JSON with every figure")
    parser.add_argument("--keep", action="store_true", help="keep ledgers and logs, and say where they are")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = secrets.randbelow(1_000_000)
    return options


def _numbers(text: str) -> list[int]:
    numbers = [int(word) for word in text.split(",")]
    if unknown := [number for number in numbers if number not in MUTANTS]:
        raise argparse.ArgumentTypeError(f"there is no mutant {unknown[0]}; there are {', '.join(map(str, MUTANTS))}")
    return numbers


def _names(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no scenario {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    return names


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
