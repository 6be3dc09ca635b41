"""The room of history: what happened to runs. It only reads."""

from tawny.history.attempts import Attempt, Ending, Event, fold
from tawny.history.timeline import Timeline, timeline

__all__ = ["Attempt", "Ending", "Event", "Timeline", "fold", "timeline"]
