"""`scripts/bench`: measure, and say what came out."""

from __future__ import annotations

import json
import os
import sys

import asyncpg

from bench.measure import measure
from bench.options import parse
from bench.report import Machine, Report
from bench.rounds import say
from bench.stage import staged


def main() -> None:
    options = parse(sys.argv[1:])
    load_before = os.getloadavg()[0]
    say(f"storing {options.sizes.rows:,} runs")
    with staged(options.sizes) as stage:
        machine = Machine(stage.ask(_version), load_before)
        report = Report(options, machine, measure(stage, options))
    print(json.dumps(report.as_json()) if options.as_json else report.as_text())


async def _version(conn: asyncpg.Connection) -> str:
    version = conn.get_server_version()
    return f"{version.major}.{version.micro}"


if __name__ == "__main__":
    main()
