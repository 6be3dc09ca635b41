"""Who did what in a team."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final, Literal, cast
from uuid import UUID

from pydantic import Field

from tawny import access
from tawny.access import ACTIONS, RESOURCES, VIEW_AUDIT_LOG, Action, AuditFilter, Resource
from tawny.api import parameters
from tawny.api.answers import Answer
from tawny.api.call import Call
from tawny.api.envelope import Answered, Query
from tawny.api.operation import operation
from tawny.api.parameters import LIMIT_DEFAULT, LIMIT_MAX

_KNOWN: Final = frozenset({"resource_type", "resource_id", "actor_id", "action", "since", "until", "limit", "cursor"})


class AuditQuery(Query):
    """Which entries."""

    resource_type: Resource | None = Field(None, description="Only about this kind of thing.")
    resource_id: UUID | None = Field(None, description="Only about this one.")
    actor_id: UUID | None = Field(None, description="Only by this user or key.")
    action: Action | None = Field(None, description="Only of this kind.")
    since: str | None = Field(None, description="As in the list of runs.", examples=["7d"])
    until: str | None = Field(None, description="As in the list of runs.", examples=["2024-02-29T12:00:00Z"])
    limit: int = Field(LIMIT_DEFAULT, ge=1, le=LIMIT_MAX, description="How many entries a page has at most.")
    cursor: str | None = Field(None, description="The `cursor` of the page before.")


class AuditEntry(Answered):
    """Something that somebody did."""

    id: UUID
    team_id: UUID
    actor_type: Literal["user", "api_key", "system"]
    actor_id: UUID | None = Field(description="Null: the operator on the host.")
    action: Action
    resource_type: Resource
    resource_id: UUID
    changes: dict[str, Any] | None = Field(description="`{field: {before, after}}`")
    metadata: dict[str, Any] | None
    timestamp: datetime


class AuditLogs(Answered):
    """Some entries, newest first."""

    audit_logs: list[AuditEntry]
    cursor: str | None = Field(description="Send it to get the next page; null on the last one.")
    has_more: bool


@operation("GET", "/v1/teams/{team_id}/audit-logs", tag="Audit log", answer=AuditLogs, query=AuditQuery, refuses=(400, 403))
async def list_audit_logs(call: Call) -> Answer:
    """See who did what in a team. Needs a key with `audit_logs:read`, or the role admin or owner."""
    actor, team_id = await call.actor(), call.id("team_id")
    actor.require(team_id, VIEW_AUDIT_LOG)
    where, limit = parse_audit_query(call.query)
    async with call.state.pool.acquire() as conn:
        page = await access.list_audit(conn, actor, team_id, where=where, limit=limit)
    more = "false" if page.cursor is None else "true"
    entries = ",".join(page.entries)
    return Answer(200, f'{{"audit_logs":[{entries}],"cursor":{json.dumps(page.cursor)},"has_more":{more}}}'.encode())


def parse_audit_query(query: bytes) -> tuple[AuditFilter, int]:
    """Which entries are asked for, and how many at most; InvalidRequest for what cannot be read."""
    given, now = parameters.read(query, _KNOWN), datetime.now(UTC)
    where = AuditFilter(
        resource_type=cast("Resource | None", parameters.word(given, "resource_type", RESOURCES)),
        resource_id=parameters.uuid(given, "resource_id", "something in the log"),
        actor_id=parameters.uuid(given, "actor_id", "a user or a key"),
        action=cast("Action | None", parameters.word(given, "action", ACTIONS)),
        since=parameters.time(given, "since", now),
        until=parameters.time(given, "until", now),
        after=parameters.position(given),
    )
    return where, parameters.number(given, "limit", default=LIMIT_DEFAULT, least=1, most=LIMIT_MAX)


OPERATIONS: Final = (list_audit_logs,)
