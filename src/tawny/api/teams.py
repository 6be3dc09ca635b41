"""The teams of who asks."""

from __future__ import annotations

from typing import Final

from tawny import access
from tawny.api.answers import Answer, answered
from tawny.api.call import Call
from tawny.api.envelope import Answered
from tawny.api.operation import operation
from tawny.api.sign_in import TeamOfUser


class Teams(Answered):
    """Oldest first."""

    teams: list[TeamOfUser]


@operation("GET", "/v1/teams", tag="Teams", answer=Teams)
async def list_teams(call: Call) -> Answer:
    """List the teams of a user, or the one team of a key, with the role in each. Any key and any user may."""
    actor = await call.actor()
    async with call.state.pool.acquire() as conn:
        teams = await access.list_teams(conn, actor)
    return answered({"teams": [{"id": team.id, "name": team.name, "slug": team.slug, "role": team.role} for team in teams]})


OPERATIONS: Final = (list_teams,)
