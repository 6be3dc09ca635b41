"""What agents do is written down, and how many runs they ask for is limited."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from tawny.access import Actor, leave
from tawny.access.limits import Limit, spend
from tawny.db.ids import uuid7
from tawny.mcp.tools import Tool


class Record:
    """Leaves a row in the audit log for each call of a tool, and counts those that make runs. `state` is that of the API."""

    def __init__(self, state: Any) -> None:
        self._state = state
        per_hour: int = state.settings.mcp_triggers
        self._budget = (
            Limit("mcp-runs", per_hour, 3600, "This credential has asked for many runs through MCP") if per_hour else None
        )

    async def note(self, authorization: str, tool: Tool, arguments: Mapping[str, Any]) -> None:
        """Write down that the tool is called, with the names of its arguments; TooManyRequests for one run too many."""
        actor: Actor = await self._state.authenticator.actor(authorization)
        async with self._state.pool.transaction() as conn:
            if self._budget is not None and tool.makes_runs and not arguments.get("dry_run"):
                await spend(conn, self._budget, str(actor.id))
            given = sorted(name for name, value in arguments.items() if value is not None)
            team_id = _team_of(actor, arguments.get("team_id"))
            await leave(conn, actor, "create", "mcp_call", uuid7(), team_id=team_id, tool=tool.name, arguments=given)


def _team_of(actor: Actor, asked: object) -> UUID | None:
    """The team that the call is about as far as is known before it is made: the one it names, or the only one there is."""
    named = [team_id for team_id in actor.roles if str(team_id) == str(asked).lower()]
    if named:
        return named[0]
    return next(iter(actor.roles)) if len(actor.roles) == 1 else None
