"""The room of history: what happened to runs. It only reads."""

from tawny.history.attempts import Attempt, Ending, Event, fold
from tawny.history.error_groups import ErrorGroup, ErrorGroups, error_groups
from tawny.history.logs import Lines, logs
from tawny.history.measures import Measures, measure
from tawny.history.stats import Hour, OfType, Stats, stats
from tawny.history.summary import Quantiles, Recent, Summary
from tawny.history.timeline import Timeline, timeline
from tawny.history.workers import InHands, Worker, workers

__all__ = [
    "Attempt",
    "Ending",
    "ErrorGroup",
    "ErrorGroups",
    "Event",
    "Hour",
    "InHands",
    "Lines",
    "Measures",
    "OfType",
    "Quantiles",
    "Recent",
    "Stats",
    "Summary",
    "Timeline",
    "Worker",
    "error_groups",
    "fold",
    "logs",
    "measure",
    "stats",
    "timeline",
    "workers",
]
