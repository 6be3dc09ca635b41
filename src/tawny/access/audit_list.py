"""Read who did what in a team."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from typing import Any, Final
from uuid import UUID

from tawny.access.actor import Actor
from tawny.access.audit import ACTIONS, RESOURCES, Action, Resource
from tawny.access.operations import VIEW_AUDIT_LOG
from tawny.access.statements import queries
from tawny.db.pool import Connection

_BEGINNING: Final = datetime(1, 1, 1, tzinfo=UTC)
_END: Final = datetime(9999, 12, 31, tzinfo=UTC)
_LAST_ID: Final = UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries to list. `since` and `until` are inclusive; `after`: time and id of the last entry of the page before."""

    resource_type: Resource | None = None
    resource_id: UUID | None = None
    actor_id: UUID | None = None
    action: Action | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: tuple[datetime, UUID] | None = None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """The public JSON of some entries, and the cursor of the last of them when more follow."""

    entries: list[str]
    cursor: str | None


async def list_audit(conn: Connection, actor: Actor, team_id: UUID, *, where: AuditFilter, limit: int) -> AuditPage:
    """List what was done in a team, newest first."""
    actor.require(team_id, VIEW_AUDIT_LOG)
    rows = await _fetch(conn, team_id, where, limit + 1)
    page = rows[:limit]
    return AuditPage([row["entry"] for row in page], page[-1]["cursor"] if len(rows) > limit else None)


async def _fetch(conn: Connection, team_id: UUID, where: AuditFilter, limit: int) -> list[Any]:
    kinds = list(
        product([where.resource_type] if where.resource_type else RESOURCES, [where.action] if where.action else ACTIONS)
    )
    until, last_id = min((where.until or _END, _LAST_ID), where.after or (_END, _LAST_ID))
    given: dict[str, Any] = {
        "team_id": team_id,
        "resource_types": [resource for resource, _ in kinds],
        "actions": [action for _, action in kinds],
        "since": where.since or _BEGINNING,
        "until": until,
        "last_id": last_id,
        "at_most": limit,
    }
    if where.resource_id is not None:
        rows = await queries.audit_of_resource(conn, **given, resource_id=where.resource_id, actor_id=where.actor_id)
    elif where.actor_id is not None:
        rows = await queries.audit_of_actor(conn, **given, actor_id=where.actor_id)
    else:
        rows = await queries.audit_of_team(conn, **given)
    found: list[Any] = rows
    return found
