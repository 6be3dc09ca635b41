"""The facts that are left about runs, and the codes of runs that failed. A law compares both with what the code writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class EventKind:
    """What a kind of event says, and what the fields of its `data` are; any of them may be absent."""

    text: str
    data: Mapping[str, str] = field(default_factory=dict)


_ERROR: Final = "why, in one sentence"
_CODE: Final = "the stable word for it"
_TRACEBACK: Final = "where, when a handler raised"

EVENT_KINDS: Final[Mapping[str, EventKind]] = {
    "triggered": EventKind(
        "The run was made and is pending.",
        {
            "retry_of": "the run that this one repeats",
            "schedule_id": "the schedule that asked for it",
            "due_at": "for which of its due times",
        },
    ),
    "started": EventKind("A worker claimed it: an attempt begins.", {"worker": "the worker's machine and process, `host:pid`"}),
    "released": EventKind(
        "The worker gave it back without a charge; it is due again. After `lost`: it was alive, and the crash is forgiven."
    ),
    "retrying": EventKind(
        "The handler failed, and there is another try.",
        {"error": _ERROR, "code": _CODE, "traceback": _TRACEBACK, "run_at": "when the next attempt is due"},
    ),
    "lost": EventKind(
        "What ran the attempt ended without a goodbye; the run is charged a crash.",
        {"crashes": "crashes since the last checkpoint", "reason": "the end of a sentence"},
    ),
    "cancel_requested": EventKind("Somebody asked for it to stop.", {"by": "`user:<uuid>` or `api_key:<uuid>`"}),
    "overdue": EventKind("The attempt was told to stop and did not in time.", {"reason": "why it was told"}),
    "completed": EventKind("The handler returned."),
    "failed": EventKind("It failed for good.", {"error": _ERROR, "code": _CODE, "traceback": _TRACEBACK}),
    "cancelled": EventKind("It was asked to stop and has."),
}

FAILURE_CODES: Final[Mapping[str, str]] = {
    "handler_failed": "The handler raised.",
    "invalid_params": "The params do not fit what the job type takes by now.",
    "poisoned": "Its attempts were lost so often without a new checkpoint that it is not tried again.",
    "process_failed": "The process of an isolated run could not be started, or could not import the app or open its lifespan.",
    "result_not_serialisable": "What the handler returned cannot be stored as JSON.",
    "timeout": "The attempt took longer than the job type's `timeout`.",
}
