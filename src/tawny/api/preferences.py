"""What somebody wants to be mailed about."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from tawny import notifications
from tawny.access import WRITE_OWN_PREFERENCES
from tawny.api.answers import Answer, answered
from tawny.api.call import Call
from tawny.api.envelope import Answered, Strict, checked
from tawny.api.operation import operation
from tawny.notifications import RunEvent

TAG: Final = "Notifications"
PATH: Final = "/v1/teams/{team_id}/preferences"


class PreferencesBody(Strict):
    """Other preferences."""

    mail_events: list[str] = Field(description="Some of `completed`, `failed`, `cancelled`; an empty list for no mails at all.")


class Preferences(Answered):
    """One's own."""

    mail_events: list[RunEvent] = Field(description="Ends of runs that a mail is sent about, where `notify` asked for one.")


@operation("GET", PATH, tag=TAG, answer=Preferences, refuses=(403,))
async def find_preferences(call: Call) -> Answer:
    """See what you are mailed about in a team. Needs a user who is a member."""
    actor = await call.actor()
    async with call.state.pool.acquire() as conn:
        events = await notifications.find_preferences(conn, actor, call.id("team_id"))
    return answered({"mail_events": events})


@operation("PATCH", PATH, tag=TAG, answer=Preferences, body=PreferencesBody, refuses=(403,))
async def set_preferences(call: Call) -> Answer:
    """Say what you want to be mailed about in a team. Needs a user who is a member."""
    actor, team_id = await call.actor(), call.id("team_id")
    actor.require(team_id, WRITE_OWN_PREFERENCES)
    body = checked(PreferencesBody, await call.body())
    async with call.state.pool.transaction() as conn:
        events = await notifications.set_preferences(conn, actor, team_id, body.mail_events)
    return answered({"mail_events": events})


OPERATIONS: Final = (find_preferences, set_preferences)
