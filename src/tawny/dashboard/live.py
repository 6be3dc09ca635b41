"""The streams of the API for browsers, whose credential is a cookie."""

from __future__ import annotations

from typing import Final

from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tawny.api.events import run_events, team_events
from tawny.dashboard.page import TEAM
from tawny.dashboard.visit import Visit


class _Live:
    """A stream of the API, asked for with the session of the cookie and the ids of the address."""

    def __init__(self, stream: ASGIApp) -> None:
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = Visit(scope, receive)
        await visit.enter(None)
        ids = {**scope["path_params"], "team_id": str(visit.team.id)}
        await self._stream({**visit.call.scope, "path_params": ids}, receive, send)


ROUTES: Final = (
    Route(f"{TEAM}/events", _Live(team_events), methods=["GET"], name="page:team_events"),
    Route(f"{TEAM}/runs/{{run_id}}/events", _Live(run_events), methods=["GET"], name="page:run_events"),
)
