"""The room of schedules: what is due, each due time decided once, and the schedules themselves."""

from tawny.schedules.declare import declare, refresh
from tawny.schedules.plan import Decision
from tawny.schedules.store import (
    Decided,
    Schedule,
    Started,
    create_schedule,
    delete_schedule,
    find_schedule,
    list_schedules,
    run_now,
    schedule_of,
    update_schedule,
)
from tawny.schedules.tick import Ticked, seconds_to_next, tick

__all__ = [
    "Decided",
    "Decision",
    "Schedule",
    "Started",
    "Ticked",
    "create_schedule",
    "declare",
    "delete_schedule",
    "find_schedule",
    "list_schedules",
    "refresh",
    "run_now",
    "schedule_of",
    "seconds_to_next",
    "tick",
    "update_schedule",
]
