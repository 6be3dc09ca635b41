"""A plain function: nothing is async, and it runs in a thread of the worker.

Run it:  tawny serve --app examples.plain_function:app
Try it:  trigger find_primes '{"below": 3000}'; watch
And:     trigger find_primes '{"below": 100000}'; sleep 3; cancel; watch

Look at `run.checkpoint`: without `await` it simply blocks until the checkpoint is stored. A thread cannot be stopped
from outside, so `run.track` is what stops this one: it raises `RunCancelled` in place of the next number.
"""

from __future__ import annotations

import time
from typing import Annotated

from pydantic import Field

from tawny import Run, Tawny

app = Tawny()


@app.job("find_primes", label="Find primes")
def find_primes(run: Run, below: Annotated[int, Field(ge=3, le=100_000)] = 3000) -> dict[str, int]:
    """Count the prime numbers below a number, in the slow way.

    Args:
        below: The number up to which to look.
    """
    found, largest = 1, 2
    for number in run.track(range(3, below, 2), message="{processed:,} of {total:,} numbers"):
        time.sleep(0.0005)
        if all(number % divisor for divisor in range(3, int(number**0.5) + 1, 2)):
            found, largest = found + 1, number
            run.log.debug("Found", prime=number)
    run.checkpoint({"found": found})
    return {"found": found, "largest": largest}
