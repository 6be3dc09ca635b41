"""Reads one plan (JSON) on stdin, carries it out, and prints what it saw (JSON)."""

from __future__ import annotations

import json
import sys
from typing import assert_never

import uvloop

from bench.client.complete import complete
from bench.client.hammer import hammer
from bench.client.plan import Complete, Hammer, Plan, Sample, Start, decode
from bench.client.start import start


async def carry_out(plan: Plan) -> Sample:
    match plan:
        case Hammer():
            return await hammer(plan)
        case Complete():
            return await complete(plan)
        case Start():
            return await start(plan)
        case _:
            assert_never(plan)


if __name__ == "__main__":
    print(json.dumps(uvloop.run(carry_out(decode(json.load(sys.stdin))))))
