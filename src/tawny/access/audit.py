"""Who did what: one row for each verb that changes something, left in the verb's own transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args
from uuid import UUID

from tawny.access.actor import Actor
from tawny.access.statements import queries
from tawny.db.pool import Connection

Action = Literal["create", "update", "delete"]
Resource = Literal[
    "api_key",
    "delivery",
    "integration",
    "invitation",
    "job_run",
    "mcp_call",
    "member",
    "preferences",
    "project",
    "schedule",
    "session",
    "sign_in_link",
    "subscriber",
    "team",
    "webhook",
]

ACTIONS: Final[tuple[Action, ...]] = get_args(Action)
RESOURCES: Final[tuple[Resource, ...]] = get_args(Resource)

Changes = Mapping[str, tuple[Any, Any]]
"""By field, what it was and what it became. What is secret is never among them."""


@dataclass(frozen=True, slots=True)
class Signature:
    """How the audit log names who did something."""

    actor_type: Literal["user", "api_key", "system"]
    actor_id: UUID | None


def signature_of(actor: Actor) -> Signature:
    """The signature of an actor; the operator on the host signs as the system."""
    return Signature("system", None) if actor.kind == "host" else Signature(actor.kind, actor.id)


async def leave(
    conn: Connection,
    actor: Actor,
    action: Action,
    resource: Resource,
    resource_id: UUID,
    *,
    team_id: UUID | None,
    changes: Changes | None = None,
    **metadata: Any,
) -> None:
    """Leave the row that says who did this. Nothing secret belongs into it: admins of the team read it."""
    signed = signature_of(actor)
    await queries.leave_audit(
        conn,
        team_id=team_id,
        actor_type=signed.actor_type,
        actor_id=signed.actor_id,
        action=action,
        resource_type=resource,
        resource_id=resource_id,
        changes=_json({name: {"before": before, "after": after} for name, (before, after) in (changes or {}).items()}),
        metadata=_json(metadata),
    )


def _json(value: Mapping[str, Any]) -> str | None:
    return json.dumps(value, default=str) if value else None


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The fields of `after` that differ from `before`."""
    return {name: (before[name], value) for name, value in after.items() if before[name] != value}
