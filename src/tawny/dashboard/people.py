"""Who triggered what, by the names that people know."""

from __future__ import annotations

from collections.abc import Mapping

from tawny import access
from tawny.access import WRITE_KEYS
from tawny.dashboard.visit import Visit
from tawny.db.pool import Connection


async def names_of(conn: Connection, visit: Visit) -> Mapping[str, str]:
    """The e-mail addresses of the team's members and, for whom may list them, the names of its keys; by their label."""
    actor, team_id = visit.actor, visit.team.id
    names = {f"user:{member.user_id}": member.email for member in await access.list_members(conn, actor, team_id)}
    if visit.may(WRITE_KEYS):
        names |= {f"api_key:{key.id}": key.name for key in await access.list_keys(conn, actor, team_id)}
    return names


def who(triggered_by: str, names: Mapping[str, str]) -> str:
    """Who asked for a run, in a few words."""
    label = triggered_by.removeprefix("manual:")
    if label in names:
        return names[label]
    kind = label.partition(":")[0]
    return {"user": "A former member", "api_key": "An agent key", "host": "The operator", "schedule": "Schedule"}.get(kind, label)
