"""Ask for a retry or a cancel of many runs at once: counted first, then done by a run of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Literal
from uuid import UUID

from pydantic_core import to_jsonable_python

from tawny import runs
from tawny.access import TRIGGER_RUN, Actor
from tawny.db.pool import Connection
from tawny.errors import InvalidRequest
from tawny.runs import Filter, Status, StatusGroup, Triggered

BULK: Final = "tawny.bulk"
AT_MOST: Final = 10_000
"""How many runs one bulk action may be about."""

Action = Literal["retry", "cancel"]

_TAKES: Final[dict[Action, tuple[Status, ...]]] = {
    "retry": ("failed", "cancelled", "completed"),
    "cancel": ("pending", "running"),
}
_UNLESS_SAID: Final[dict[Action, StatusGroup]] = {"retry": "unsuccessful", "cancel": "unended"}


@dataclass(frozen=True, slots=True)
class Asked:
    """How many runs matched, and the run that acts on them; none when they were only to be counted."""

    matched: int
    run: Triggered | None


async def ask(conn: Connection, actor: Actor, team_id: UUID, action: Action, where: Filter, *, dry_run: bool = False) -> Asked:
    """Count the runs of the team that this is about and, unless it is a dry run, make the run that acts on them.

    They are those that match by now: what is made later is not touched. Without a status, a retry takes failed and cancelled
    runs, a cancel pending and running ones. InvalidRequest for a status that the action cannot take, for more than 10,000 runs
    and, unless it is a dry run, for none; Conflict with `existing_run_id` while the team has such an action under way.
    """
    actor.require(team_id, TRIGGER_RUN)
    _check_status(action, where)
    moment = await runs.this_moment(conn)
    where = replace(where, until=min(where.until or moment, moment))
    matched = await runs.count_runs(conn, team_id, where=meant(action, where), at_most=AT_MOST + 1)
    if matched > AT_MOST:
        raise InvalidRequest(
            f"More than {AT_MOST} runs match; narrow the filter, for instance by a job_type or a since.", code="too_many"
        )
    if dry_run:
        return Asked(matched, None)
    if not matched:
        raise InvalidRequest("No run matches this filter, so there is nothing to do.", code="nothing_matches")
    params = {"action": action, "filter": _given(where), "matched": matched, "asked_by": actor.label}
    made = await runs.trigger_builtin(conn, actor, BULK, team_id=team_id, params=params, slot=action)
    return Asked(matched, made)


def meant(action: Action, where: Filter) -> Filter:
    """The filter with the statuses that the action is about."""
    return replace(where, status=where.status or _UNLESS_SAID[action])


def _check_status(action: Action, where: Filter) -> None:
    if where.status is not None and where.status not in _TAKES[action]:
        *first, last = _TAKES[action]
        raise InvalidRequest(
            f"filter.status should be {', '.join(first)} or {last} for a {action}.", code="invalid_field", field="filter.status"
        )


def _given(where: Filter) -> dict[str, Any]:
    """The filter as it is stored with the run, for people to see and for its handler."""
    return {name: value for name, value in to_jsonable_python(where).items() if value is not None}
