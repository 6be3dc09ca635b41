"""Run a handler without a server: what a team's own tests are written with."""

from tawny.testing.outcome import LogLine, Outcome, Progress
from tawny.testing.run import run, run_async

__all__ = ["LogLine", "Outcome", "Progress", "run", "run_async"]
