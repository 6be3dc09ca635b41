"""`scripts/bench`: measure, and say what came out."""

from __future__ import annotations

import json
import os
import sys

from bench.measure import measure
from bench.options import parse
from bench.report import Machine, Report, version_of
from bench.rounds import say
from bench.stage import staged


def main() -> None:
    options = parse(sys.argv[1:])
    load_before = os.getloadavg()[0]
    say(f"storing {options.sizes.rows:,} runs")
    with staged(options.sizes) as stage:
        machine = Machine(stage.ask(version_of), load_before)
        report = Report(options, machine, measure(stage, options))
    print(json.dumps(report.as_json()) if options.as_json else report.as_text())


if __name__ == "__main__":
    main()
