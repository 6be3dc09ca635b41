"""The room of history: what happened to runs. It only reads."""

from tawny.history.attempts import Attempt, Ending, Event, fold
from tawny.history.logs import Lines, logs
from tawny.history.measures import Measures, measure
from tawny.history.stats import Stats, stats
from tawny.history.timeline import Timeline, timeline

__all__ = ["Attempt", "Ending", "Event", "Lines", "Measures", "Stats", "Timeline", "fold", "logs", "measure", "stats", "timeline"]
