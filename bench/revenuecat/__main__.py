"""Measure the sync, and say what came out."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import uvloop

from bench.database import asking, database
from bench.report import Machine, version_of
from bench.revenuecat.measure import measure
from bench.revenuecat.options import parse
from bench.revenuecat.report import Report
from bench.revenuecat.stage import Stage


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    load_before = os.getloadavg()[0]
    with database() as url, tempfile.TemporaryDirectory(prefix="tawny-bench-") as folder:
        machine = Machine(asking(url, version_of), load_before)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            measured = runner.run(measure(Stage(url, Path(folder)), options.sizes))
    report = Report(options, machine, measured)
    print(json.dumps(report.as_json()) if options.as_json else report.as_text())


if __name__ == "__main__":
    main(sys.argv[1:])
