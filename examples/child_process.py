"""A child process: `isolate="process"` is for code that may crash, leak or never look whether it should stop.

Run it:  tawny serve --app examples.child_process:app
Try it:  trigger crunch '{"rounds": 5000000}'; watch
And:     trigger crunch '{"rounds": 5000000000}'; sleep 3; cancel; watch

Look at the second run: `crunch` never looks at `run.cancelled`, so it is killed two seconds after the cancel, and
nothing else of the worker with it. The same happens once it has taken longer than its `timeout`. In a thread it could
only be waited for.
"""

from __future__ import annotations

import os

from tawny import Run, Tawny

app = Tawny()


@app.job("crunch", isolate="process", timeout="10m", cancel_grace="2s")
def crunch(run: Run, rounds: int = 5_000_000) -> dict[str, int]:
    """Work through numbers without a look to the left or the right, as a library in C would."""
    run.progress(0, message="Crunching")
    value = 1
    for _ in range(rounds):
        value = value * 48_271 % 2_147_483_647
    return {"value": value, "pid": os.getpid()}
