"""The words of this room."""

from __future__ import annotations

from typing import Final, Literal, get_args

Status = Literal["pending", "running", "completed", "failed", "cancelled"]
Outcome = Literal["completed", "failed", "cancelled"]

STATUSES: Final[tuple[Status, ...]] = get_args(Status)
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)

FIELDS: Final = (
    "id",
    "job_type",
    "status",
    "team_id",
    "project_id",
    "triggered_by",
    "params",
    "progress",
    "result",
    "error",
    "notify",
    "started_at",
    "completed_at",
    "created_at",
)
"""The public fields of a run, in the order in which `run_json` writes them."""

CRASH_LIMIT: Final = 3
"""A run whose worker died this often since its last checkpoint is taken to be what kills it: it fails as `poisoned`."""
