"""The room of runs: each file is one verb, each change of state one guarded statement that leaves a fact."""

from tawny.runs.cancel import cancel
from tawny.runs.claim import Claimed, claim
from tawny.runs.find import Filter, Page, Position, find, list_runs
from tawny.runs.finish import Finish, finish
from tawny.runs.lease import Held, Renewed, enlist, held_by, leave, release, renew
from tawny.runs.pulse import save_checkpoints, save_progress
from tawny.runs.reap import reap, reap_orphans
from tawny.runs.run import CRASH_LIMIT, FIELDS, OUTCOMES, STATUSES, Outcome, Status
from tawny.runs.trigger import Triggered, choose_job, trigger, trigger_system
from tawny.runs.wake import NEW_RUN, Waker

__all__ = [
    "CRASH_LIMIT",
    "FIELDS",
    "NEW_RUN",
    "OUTCOMES",
    "STATUSES",
    "Claimed",
    "Filter",
    "Finish",
    "Held",
    "Outcome",
    "Page",
    "Position",
    "Renewed",
    "Status",
    "Triggered",
    "Waker",
    "cancel",
    "choose_job",
    "claim",
    "enlist",
    "find",
    "finish",
    "held_by",
    "leave",
    "list_runs",
    "reap",
    "reap_orphans",
    "release",
    "renew",
    "save_checkpoints",
    "save_progress",
    "trigger",
    "trigger_system",
]
