"""What somebody wants to be mailed about."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from tawny.access import WRITE_OWN_PREFERENCES, Actor, leave
from tawny.db.pool import Connection
from tawny.notifications.events import RUN_EVENTS, RunEvent, in_order
from tawny.notifications.statements import queries


async def find_preferences(conn: Connection, actor: Actor, team_id: UUID) -> list[RunEvent]:
    """The ends of runs that this user wants mails about in this team, where a mail was asked for; all, unless they said so."""
    actor.require(team_id, WRITE_OWN_PREFERENCES)
    events = await queries.find_preferences(conn, team_id=team_id, user_id=actor.id)
    return list(RUN_EVENTS) if events is None else in_order(events)


async def set_preferences(conn: Connection, actor: Actor, team_id: UUID, mail_events: Iterable[str]) -> list[RunEvent]:
    """Say which ends of runs to be mailed about in this team; none at all is an answer too. InvalidRequest for what is no end."""
    actor.require(team_id, WRITE_OWN_PREFERENCES)
    events = in_order(mail_events)
    before = await queries.find_preferences(conn, team_id=team_id, user_id=actor.id)
    await queries.set_preferences(conn, team_id=team_id, user_id=actor.id, mail_events=events)
    changes = {"mail_events": (list(RUN_EVENTS) if before is None else in_order(before), events)}
    await leave(conn, actor, "update", "preferences", actor.id, team_id=team_id, changes=changes)
    return events
