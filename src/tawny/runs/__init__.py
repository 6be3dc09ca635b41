"""The room of runs: each file is one verb, each change of state one guarded statement that leaves a fact."""

from tawny.runs.cancel import Cancelled, cancel, cancel_many
from tawny.runs.claim import Claimed, claim, claim_seated, set_places
from tawny.runs.delete_project import delete_project
from tawny.runs.events import EVENT_KINDS, FAILURE_CODES
from tawny.runs.find import (
    Count,
    Filter,
    Page,
    Position,
    StatusGroup,
    count_by_status,
    count_runs,
    find,
    list_runs,
    list_system_runs,
    search_runs,
    this_moment,
    walk,
)
from tawny.runs.finish import Crash, Finish, finish, mark_overdue, take_back
from tawny.runs.idempotency import forget_answers
from tawny.runs.lease import Held, Renewed, Sign, enlist, held_by, hold, leave, release, renew
from tawny.runs.make import Granted, Scheduled, Triggered, make_scheduled
from tawny.runs.pulse import Flushed, LogLine, fence, flush, save_checkpoints
from tawny.runs.reap import reap, reap_orphans
from tawny.runs.retry import require_role_to_retry, retry, retry_many
from tawny.runs.run import CRASH_LIMIT, FIELDS, OUTCOMES, STATUSES, Outcome, Status
from tawny.runs.trigger import (
    check_trigger,
    choose_job,
    params_of_project,
    trigger,
    trigger_builtin,
    trigger_system,
    trigger_within,
)
from tawny.runs.wake import NEW_RUN, Waker, wake

__all__ = [
    "CRASH_LIMIT",
    "EVENT_KINDS",
    "FAILURE_CODES",
    "FIELDS",
    "NEW_RUN",
    "OUTCOMES",
    "STATUSES",
    "Cancelled",
    "Claimed",
    "Count",
    "Crash",
    "Filter",
    "Finish",
    "Flushed",
    "Granted",
    "Held",
    "LogLine",
    "Outcome",
    "Page",
    "Position",
    "Renewed",
    "Scheduled",
    "Sign",
    "Status",
    "StatusGroup",
    "Triggered",
    "Waker",
    "cancel",
    "cancel_many",
    "check_trigger",
    "choose_job",
    "claim",
    "claim_seated",
    "count_by_status",
    "count_runs",
    "delete_project",
    "enlist",
    "fence",
    "find",
    "finish",
    "flush",
    "forget_answers",
    "held_by",
    "hold",
    "leave",
    "list_runs",
    "list_system_runs",
    "make_scheduled",
    "mark_overdue",
    "params_of_project",
    "reap",
    "reap_orphans",
    "release",
    "renew",
    "require_role_to_retry",
    "retry",
    "retry_many",
    "save_checkpoints",
    "search_runs",
    "set_places",
    "take_back",
    "this_moment",
    "trigger",
    "trigger_builtin",
    "trigger_system",
    "trigger_within",
    "wake",
    "walk",
]
